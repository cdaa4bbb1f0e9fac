// ONNX: operators that rearrange a tensor: Reshape, Transpose, Squeeze, DepthToSpace ...
//
// Reshape, Squeeze, Unsqueeze and Flatten write nothing: they give the value new dims (SetView),
// and a reshape is written when an operator reads it. So runs of them become one, and the rank 6 of
// the usual pixel-shuffle pattern (Reshape, Transpose, Reshape) never reaches Core ML, whose limit
// is 5.
#include <algorithm>

#include "onnx/converter.h"
#include "onnx/expansion.h"
#include "onnx/fold_table.h"

namespace anemone::ops::transformation {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

Status CheckOne(const NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  return {};
}

// The same elements under other dims. The value keeps the shape that it has in the program so far.
Status View(NodeContext& c, ir::Shape dims) {
  if (c.Known(0)) return c.SetConstant(0, c.Const(0)->Reshaped(std::move(dims)));
  return c.SetView(0, c.In(0).sizes ? c.Value(0) : c.Unshaped(0), std::move(dims));
}

// A shape or axes known only at run time cannot change what the file declares for the output, and
// moving no element, the operator does nothing else.
bool DeclaredView(const NodeContext& c) {
  const ir::Shape* declared = c.Declared(0);
  return declared != nullptr && c.Has(1) && c.Const(1) == nullptr && !c.In(1).sizes &&
         ir::ElementCount(*declared) == ir::ElementCount(c.Sizes(0));
}

// The size that -1 stands for, where `dims` become `shape`; nullopt when it is not one that the
// importer can prove.
std::optional<int64_t> InferredSize(NodeContext& c, const ir::Shape& dims, const ir::Shape& shape) {
  Symbols& symbols = c.symbols();
  ir::Shape rest = dims;
  std::optional<int64_t> known = 1;
  for (const int64_t size : shape) {
    if (size == -1 || !known) continue;
    const auto same = std::ranges::find(rest, size);
    if (same != rest.end()) {
      rest.erase(same);  // one of its own dimensions
    } else {
      known = symbols.Mul(*known, size);
    }
  }
  const auto total = symbols.Product(rest, 0, rest.size());
  if (!known || !total) return std::nullopt;
  const auto quotient = symbols.FloorDiv(*total, *known);
  if (!quotient || symbols.Mul(*quotient, *known) != total) return std::nullopt;
  return quotient;
}

// Where dimensions of the input or of the shape are open.
Status EmitOpenReshape(NodeContext& c, ir::Shape shape) {
  const ir::Shape& dims = c.Sizes(0);
  const bool allow_zero = c.Int("allowzero", 0) != 0;
  size_t inferred = SIZE_MAX;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      if (inferred != SIZE_MAX) return InvalidInput("the shape holds -1 twice");
      inferred = i;
    } else if (shape[i] == 0 && !allow_zero) {
      if (i >= dims.size())
        return InvalidInput("the shape copies dim {}, but the input has rank {}", i, dims.size());
      shape[i] = dims[i];
    } else if (shape[i] < 1 && !Symbols::IsSymbol(shape[i])) {
      return InvalidInput("the shape holds {}", shape[i]);
    }
  }
  if (inferred != SIZE_MAX) {
    if (const auto size = InferredSize(c, dims, shape)) {
      shape[inferred] = *size;
    } else {
      // The run finds it.
      ir::Value* y = c.Op("reshape", {{"x", c.Value(0)}, {"shape", c.SizesValue(shape, "shape")}});
      shape[inferred] = ir::kDynamic;
      return c.Set(0, c.WithDims(y, std::move(shape)));
    }
  }
  const auto from = c.symbols().Product(dims, 0, dims.size());
  const auto to = c.symbols().Product(shape, 0, shape.size());
  if (from && to) {
    const Symbols::Order order = c.symbols().Compare(*from, *to);
    if (order == Symbols::Order::kLess || order == Symbols::Order::kGreater) {
      return InvalidInput("{} elements do not fill the shape {}", c.symbols().Text(*from),
                          c.symbols().Text(shape));
    }
  }
  return View(c, std::move(shape));
}

Status EmitReshape(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  if (DeclaredView(c)) return View(c, *c.Declared(0));
  if (c.IsOpen(0) || (c.Has(1) && c.In(1).sizes)) {
    auto known = c.Has(1) ? c.KnownSizes(1) : c.IntsAttribute("shape");
    if (known) return EmitOpenReshape(c, std::move(*known));
  }
  ANEMONE_ASSIGN(const auto shape, c.IntsOr(1, "shape"));
  if (!shape) return InvalidInput("Reshape has no shape");
  ANEMONE_ASSIGN(ir::Shape dims, ReshapedDims(c.Dims(0), *shape, c.Int("allowzero", 0) != 0));
  return View(c, std::move(dims));
}

Status EmitFlatten(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  int64_t axis = c.Int("axis", 1);
  if (axis < 0) axis += c.Rank(0);
  if (axis < 0 || axis > c.Rank(0)) return InvalidInput("axis {} is outside the rank", axis);
  ir::Shape dims = {1, 1};
  for (int64_t d = 0; d < c.Rank(0); ++d) {
    int64_t& size = dims[d < axis ? 0 : 1];
    size = c.MulSizes(size, c.Sizes(0)[static_cast<size_t>(d)]);
  }
  return View(c, std::move(dims));
}

Status EmitSqueeze(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  if (DeclaredView(c)) return View(c, *c.Declared(0));
  ANEMONE_ASSIGN(const auto axes, c.IntsOr(1, "axes"));
  for (size_t d = 0; d < c.Sizes(0).size(); ++d) {
    const int64_t size = c.Sizes(0)[d];
    if (!Symbols::IsSymbol(size) || (!axes && c.symbols().BoundsOf(size).low > 1)) continue;
    const auto at = static_cast<int64_t>(d);
    const bool named = axes && (std::ranges::count(*axes, at) != 0 ||
                                std::ranges::count(*axes, at - c.Rank(0)) != 0);
    if (!axes || named) return c.NeedsFixed(c.In(0), d);
  }
  ANEMONE_ASSIGN(ir::Shape dims, SqueezedDims(c.Sizes(0), axes));
  return View(c, std::move(dims));
}

Status EmitUnsqueeze(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  if (DeclaredView(c)) return View(c, *c.Declared(0));
  ANEMONE_ASSIGN(const auto axes, c.IntsOr(1, "axes"));
  if (!axes) return InvalidInput("Unsqueeze has no axes");
  ANEMONE_ASSIGN(ir::Shape dims, UnsqueezedDims(c.Sizes(0), *axes));
  return View(c, std::move(dims));
}

// An equivalent transpose in the fewest dimensions: those of size 1 are dropped, and those that
// stay adjacent are merged.
struct Transposition {
  ir::Shape dims;             // of the input, reduced
  std::vector<int64_t> perm;  // over these
};
Transposition Reduce(NodeContext& c, const ir::Shape& dims, const std::vector<int64_t>& perm) {
  // Groups of input dimensions, in the order of the output.
  std::vector<std::vector<int64_t>> groups;
  for (const int64_t d : perm) {
    if (dims[static_cast<size_t>(d)] == 1) continue;
    // The next dimension of the input that is not of size 1.
    const auto follows = [&](int64_t before) {
      int64_t next = before + 1;
      while (next < d && dims[static_cast<size_t>(next)] == 1) ++next;
      return next == d;
    };
    if (!groups.empty() && follows(groups.back().back())) {
      groups.back().push_back(d);
    } else {
      groups.push_back({d});
    }
  }
  std::vector<size_t> order(groups.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return groups[a].front() < groups[b].front(); });
  Transposition out;
  out.perm.resize(groups.size());
  for (size_t i = 0; i < order.size(); ++i) {
    int64_t size = 1;
    for (const int64_t d : groups[order[i]]) size = c.MulSizes(size, dims[static_cast<size_t>(d)]);
    out.dims.push_back(size);
    out.perm[order[i]] = static_cast<int64_t>(i);
  }
  return out;
}

// A transpose of more dimensions than Core ML has, as several: each moves the first axis that is not in
// its place there, until those that stand in order have become few enough.
ir::Value* InSteps(NodeContext& c, ir::Value* x, Transposition left) {
  while (left.dims.size() > static_cast<size_t>(kMaxRank)) {
    size_t place = 0;
    while (left.perm[place] == static_cast<int64_t>(place)) ++place;
    const auto axis = static_cast<size_t>(left.perm[place]);
    const auto product = [&](size_t begin, size_t end) {
      int64_t size = 1;
      for (size_t d = begin; d < end; ++d) size = c.MulSizes(size, left.dims[d]);
      return size;
    };
    const ir::Shape parts = {product(0, place), product(place, axis), left.dims[axis],
                             product(axis + 1, left.dims.size())};
    x = c.Op("transpose", {{"x", c.Reshape(x, parts)}, {"perm", ir::Ints({0, 2, 1, 3})}});
    ir::Shape dims = left.dims;
    std::rotate(dims.begin() + static_cast<std::ptrdiff_t>(place),
                dims.begin() + static_cast<std::ptrdiff_t>(axis),
                dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
    for (int64_t& d : left.perm) {
      const auto old = static_cast<size_t>(d);
      if (old == axis) {
        d = static_cast<int64_t>(place);
      } else if (old >= place && old < axis) {
        ++d;
      }
    }
    left = Reduce(c, dims, left.perm);
  }
  return c.Op("transpose", {{"x", c.Reshape(x, left.dims)}, {"perm", ir::Ints(left.perm)}});
}

Status EmitTranspose(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ANEMONE_ASSIGN(const auto perm, Permutation(c.node(), c.Sizes(0).size()));
  ir::Shape dims;
  for (const int64_t d : perm) dims.push_back(c.Sizes(0)[static_cast<size_t>(d)]);
  const Transposition reduced = Reduce(c, c.Sizes(0), perm);
  if (reduced.perm.size() <= 1) return View(c, std::move(dims));  // no element moves
  if (c.Rank(0) <= kMaxRank && !c.IsPending(0)) {
    return c.Emit("transpose", {{"x", c.Value(0)}, {"perm", ir::Ints(perm)}});
  }
  if (reduced.dims.size() > static_cast<size_t>(kMaxRank))
    return c.SetView(0, InSteps(c, c.Unshaped(0), reduced), std::move(dims));
  ir::Value* x = c.Rank(0) <= kMaxRank ? c.Value(0) : c.Reshape(c.Unshaped(0), reduced.dims);
  const auto& order = c.Rank(0) <= kMaxRank ? perm : reduced.perm;
  return c.SetView(0, c.Op("transpose", {{"x", x}, {"perm", ir::Ints(order)}}), std::move(dims));
}

Result<int64_t> BlockSize(const NodeContext& c) {
  if (!c.Has(0) || c.Rank(0) != 4) return InvalidInput("the input needs rank 4");
  const int64_t size = c.Int("blocksize", 0);
  if (size < 1 || size > INT32_MAX) return InvalidInput("blocksize is {}", size);
  return size;
}

Status EmitDepthToSpace(NodeContext& c) {
  ANEMONE_ASSIGN(const int64_t size, BlockSize(c));
  const auto block = ir::Literal::Int32(static_cast<int32_t>(size));
  const std::string mode = c.String("mode", "DCR");
  if (mode == "CRD") return c.Emit("pixel_shuffle", {{"x", c.Value(0)}, {"upscale_factor", block}});
  if (mode != "DCR") return InvalidInput("mode is '{}'", mode);
  return c.Emit("depth_to_space", {{"x", c.Value(0)}, {"block_size", block}});
}

Status EmitSpaceToDepth(NodeContext& c) {
  ANEMONE_ASSIGN(const int64_t size, BlockSize(c));
  const std::string mode = c.String("mode", "DCR");
  if (mode == "CRD") {
    // The block's elements come last among the channels.
    const ir::Shape& d = c.Dims(0);
    if (d[2] % size != 0 || d[3] % size != 0) return InvalidInput("the blocks do not fit");
    Expansion e(c);
    auto y =
        e.Op("Reshape", {e.In(0), e.Int64s({d[0], d[1], d[2] / size, size, d[3] / size, size})});
    y = e.Op("Transpose", {y}, {attribute::Ints("perm", {0, 1, 3, 5, 2, 4})});
    return e.Finish(
        {e.Op("Reshape", {y, e.Int64s({d[0], d[1] * size * size, d[2] / size, d[3] / size})})});
  }
  if (mode != "DCR") return InvalidInput("mode is '{}'", mode);
  return c.Emit("space_to_depth", {{"x", c.Value(0)},
                                   {"block_size", ir::Literal::Int32(static_cast<int32_t>(size))}});
}

Status EmitReverseSequence(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("ReverseSequence needs two inputs");
  const auto axis = [&](std::string_view name, int64_t fallback) {
    return ir::Literal::Int32(static_cast<int32_t>(c.Int(name, fallback)));
  };
  return c.Emit("reverse_sequence", {{"x", c.Value(0)},
                                     {"lengths", c.Value(1)},
                                     {"seq_axis", axis("time_axis", 0)},
                                     {"batch_axis", axis("batch_axis", 1)}});
}

constexpr Converter kConverters[] = {
    {.op = "Reshape", .emit = EmitReshape},
    {.op = "Flatten", .emit = EmitFlatten},
    {.op = "Squeeze", .emit = EmitSqueeze},
    {.op = "Unsqueeze", .emit = EmitUnsqueeze},
    {.op = "Transpose", .emit = EmitTranspose},
    {.op = "DepthToSpace", .emit = EmitDepthToSpace},
    {.op = "SpaceToDepth", .emit = EmitSpaceToDepth},
    {.op = "ReverseSequence", .emit = EmitReverseSequence},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::transformation
