// ONNX: Slice, Split.
#include <algorithm>

#include "onnx/converter.h"
#include "ops/infer.h"
#include "ops/slice/sequences_onnx.h"

namespace anemone::ops::slice {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

// A tensor without elements, which Core ML does not have, is known: it vanishes in what takes it.
Status SetEmpty(NodeContext& c, const std::vector<SliceRange>& ranges) {
  ir::Shape dims;
  for (const SliceRange& range : ranges) dims.push_back(range.count);
  return c.SetConstant(0, onnx::Constant::FromInts(c.Type(0), {}, std::move(dims)));
}

// ---- Slices along open dimensions, or to sizes known only at run time.

// One end of the elements along a dimension: where it lies, and how slice_by_index is told. A number
// below zero counts from the end there too.
struct Cut {
  int64_t at = 0;       // a size, from 0 to that of the dimension
  int64_t written = 0;  // a size, or a negative number
  bool whole = false;   // nothing is cut off
};

// `at` of ONNX, for a positive step: negative ones count from the end, and all are clamped. nullopt
// when its sign is not known.
std::optional<Cut> CutAt(Symbols& s, int64_t at, int64_t size, bool end) {
  const auto bounds = s.BoundsOf(at);
  if (bounds.low >= 0) {
    const auto clamped = s.Min(at, size);
    if (!clamped) return std::nullopt;
    return Cut{*clamped, *clamped, *clamped == (end ? size : 0)};
  }
  if (bounds.high >= 0) return std::nullopt;
  const auto sum = s.Add(size, at);
  const auto clamped = sum ? s.Max(*sum, 0) : std::nullopt;
  if (!clamped) return std::nullopt;
  const bool negative = *clamped == *sum && !Symbols::IsSymbol(at);
  return Cut{*clamped, negative ? at : *clamped, !end && *clamped == 0};
}

struct OpenSlice {
  std::vector<int64_t> begin, end, stride;
  std::vector<bool> from_begin, to_end;
  ir::Shape dims;
};

Status CutDimension(NodeContext& c, OpenSlice& slice, size_t d, int64_t start, int64_t end,
                    int64_t step) {
  Symbols& s = c.symbols();
  const int64_t size = c.Sizes(0)[d];
  const auto unclear = [&] {
    return Unsupported(
               "which elements it takes along dimension {} of '{}' ({}) depends on how {} "
               "and {} compare with it",
               d, c.In(0).name, s.Text(size), s.Text(start), s.Text(end))
        .Advise("give the inputs that it depends on fixed sizes");
  };
  slice.stride[d] = step;
  if (step < 0) {
    // Only all of it, backward.
    const bool last = start == -1 || (!Symbols::IsSymbol(start) && start >= INT32_MAX);
    if (step != -1 || !last || Symbols::IsSymbol(end) || end > -INT32_MAX) return unclear();
    return {};
  }
  // What no dimension reaches is its end.
  const auto from = CutAt(s, start, size, false);
  const auto to = !Symbols::IsSymbol(end) && end >= INT32_MAX ? std::optional(Cut{size, 0, true})
                                                              : CutAt(s, end, size, true);
  if (!from || !to) return unclear();
  const int64_t distance = c.AddSizes(to->at, c.MulSizes(from->at, -1));
  const auto steps = s.FloorDiv(c.AddSizes(distance, step - 1), step);
  const auto count = steps ? s.Max(*steps, 0) : std::nullopt;
  if (!count) return unclear();
  if (*count == 0) return Unsupported("its output is empty");
  if (s.BoundsOf(*count).low < 1) s.RaiseTo(*count, 1);
  slice.dims[d] = *count;
  slice.begin[d] = from->whole ? 0 : from->written;
  slice.end[d] = to->whole ? 0 : to->written;
  slice.from_begin[d] = from->whole;
  slice.to_end[d] = to->whole;
  return {};
}

Status EmitOpenSlice(NodeContext& c, const std::vector<int64_t>& starts,
                     const std::vector<int64_t>& ends,
                     const std::optional<std::vector<int64_t>>& axes,
                     const std::optional<std::vector<int64_t>>& steps) {
  const ir::Shape& sizes = c.Sizes(0);
  OpenSlice slice;
  slice.begin.assign(sizes.size(), 0);
  slice.end.assign(sizes.size(), 0);
  slice.stride.assign(sizes.size(), 1);
  slice.from_begin.assign(sizes.size(), true);
  slice.to_end.assign(sizes.size(), true);
  slice.dims = sizes;
  std::vector<int64_t> along(starts.size());
  for (size_t i = 0; i < along.size(); ++i) along[i] = axes ? (*axes)[i] : static_cast<int64_t>(i);
  ANEMONE_ASSIGN(along, NormalizeAxes(along, c.Rank(0)));
  bool cuts = false;
  for (size_t i = 0; i < along.size(); ++i) {
    const auto d = static_cast<size_t>(along[i]);
    const int64_t step = steps ? (*steps)[i] : 1;
    if (step == 0) return InvalidInput("a step is 0");
    ANEMONE_TRY(CutDimension(c, slice, d, starts[i], ends[i], step));
    cuts = cuts || slice.stride[d] != 1 || !slice.from_begin[d] || !slice.to_end[d];
  }
  if (!cuts) return c.Forward(0, 0);
  ir::Value* x = c.Value(0);
  ir::Value* begin = c.SizesValue(slice.begin, "begin");
  ir::Value* y = c.Op("slice_by_index", {{"x", x},
                                         {"begin", begin},
                                         {"end", c.SizesValue(slice.end, "end")},
                                         {"stride", ir::Ints(slice.stride)},
                                         {"begin_mask", ir::Literal::Bools(slice.from_begin)},
                                         {"end_mask", ir::Literal::Bools(slice.to_end)}});
  return c.Set(0, c.WithDims(y, slice.dims));
}

// Starts or ends: an input, or an attribute.
Result<std::vector<int64_t>> Cuts(const NodeContext& c, size_t input, std::string_view what) {
  if (auto known = c.KnownSizes(input)) return std::move(*known);
  ANEMONE_ASSIGN(auto given, c.IntsOr(input, what));
  if (!given) return InvalidInput("Slice has no {}", what);
  return std::move(*given);
}

// ---- Slices whose parameters depend on the data, where the file declares how many elements they take:
// along each dimension, elements from a first one on, at a distance, are gathered.

// The entry of input `i` for dimension `d` as a scalar of the program: the one whose axis is `d`, or
// else `fallback`.
ir::Value* EntryFor(NodeContext& c, size_t i, int64_t d, int64_t fallback) {
  const auto number = [&](int64_t value) {
    return c.MakeConst(ir::Literal::Int32(static_cast<int32_t>(value)), "number");
  };
  const int64_t count = c.Dims(1)[0];
  if (!c.Has(i)) return number(fallback);
  ir::Value* entries = c.Reshape(c.Value(i), {count});
  const auto sum = [&](ir::Value* values) {
    return c.Op("reduce_sum",
                {{"x", values}, {"axes", ir::Ints({0})}, {"keep_dims", ir::Literal::Bool(false)}});
  };
  ir::Value* axes = nullptr;
  if (c.Has(3)) {
    axes = c.Binary("mod", {c.Value(3), number(c.Rank(0))});
  } else {
    std::vector<int64_t> all(static_cast<size_t>(count));
    for (size_t k = 0; k < all.size(); ++k) all[k] = static_cast<int64_t>(k);
    axes = c.MakeConst(onnx::Constant::Int64s(std::move(all)), "axes");
  }
  ir::Value* here = c.Cast(c.Binary("equal", {axes, number(d)}), DType::kInt32);
  ir::Value* entry = sum(c.Binary("mul", {entries, here}));
  ir::Value* missing = c.Binary("sub", {number(1), sum(here)});
  return c.Binary("add", {entry, c.Binary("mul", {missing, number(fallback)})});
}

bool IsRuntimeSlice(const NodeContext& c) {
  if (!c.Has(1) || !c.Has(2) || c.Rank(1) != 1 || c.IsOpen(0) || c.IsOpen(1)) return false;
  const ir::Shape* declared = c.Declared(0);
  if (declared == nullptr || declared->size() != c.Sizes(0).size() ||
      std::ranges::count(*declared, 0) != 0)
    return false;
  for (size_t i = 1; i < c.InputCount(); ++i) {
    if (c.Has(i) && !c.Known(i)) return true;
  }
  return false;
}

Status EmitRuntimeSlice(NodeContext& c) {
  const ir::Shape &dims = c.Dims(0), &out = *c.Declared(0);
  const auto number = [&](int64_t value) {
    return c.MakeConst(ir::Literal::Int32(static_cast<int32_t>(value)), "number");
  };
  ir::Value* x = c.Dtype(0) == DType::kBool ? c.Cast(c.Value(0), DType::kInt32) : c.Value(0);
  for (size_t d = 0; d < dims.size(); ++d) {
    const auto axis = static_cast<int64_t>(d);
    // All elements of a dimension, at a positive distance, are taken as they stand.
    if (out[d] == dims[d] && !c.Has(4)) continue;
    if (!FoldableCount({out[d]})) return Unsupported("a slice of {} elements", out[d]);
    ir::Value* step = EntryFor(c, 4, axis, 1);
    ir::Value* start = EntryFor(c, 1, axis, 0);
    // Below zero they count from the end; what is outside is the first or the last element.
    ir::Value* below = c.Binary("less", {start, number(0)});
    ir::Value* from_end = c.Binary("add", {start, number(dims[d])});
    start = c.Op("select", {{"cond", below}, {"a", from_end}, {"b", start}});
    start = c.Binary("maximum", {start, number(0)});
    start = c.Binary("minimum", {start, number(dims[d] - 1)});
    std::vector<int64_t> counted(static_cast<size_t>(out[d]));
    for (size_t i = 0; i < counted.size(); ++i) counted[i] = static_cast<int64_t>(i);
    ir::Value* steps = c.MakeConst(onnx::Constant::Int64s(std::move(counted)), "steps");
    ir::Value* at = c.Binary("add", {c.Binary("mul", {steps, step}), start});
    at = c.Binary("minimum", {c.Binary("maximum", {at, number(0)}), number(dims[d] - 1)});
    x = c.Op("gather",
             {{"x", x}, {"indices", at}, {"axis", ir::Literal::Int32(static_cast<int32_t>(d))}});
  }
  return c.Set(0, c.Cast(x, c.Dtype(0)));
}

Status EmitSlice(NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  if (c.IsOpen(0) || (c.Has(1) && c.In(1).sizes) || (c.Has(2) && c.In(2).sizes)) {
    ANEMONE_ASSIGN(const auto from, Cuts(c, 1, "starts"));
    ANEMONE_ASSIGN(const auto to, Cuts(c, 2, "ends"));
    ANEMONE_ASSIGN(const auto along, c.IntsOr(3, "axes"));
    ANEMONE_ASSIGN(const auto strides, c.IntsOr(4, "steps"));
    if (from.size() != to.size() || (along && along->size() != from.size()) ||
        (strides && strides->size() != from.size())) {
      return InvalidInput("starts, ends, axes and steps differ in length");
    }
    return EmitOpenSlice(c, from, to, along, strides);
  }
  if (IsRuntimeSlice(c)) return EmitRuntimeSlice(c);
  ANEMONE_ASSIGN(const auto starts, c.IntsOr(1, "starts"));
  ANEMONE_ASSIGN(const auto ends, c.IntsOr(2, "ends"));
  ANEMONE_ASSIGN(const auto axes, c.IntsOr(3, "axes"));
  ANEMONE_ASSIGN(const auto steps, c.IntsOr(4, "steps"));
  if (!starts || !ends) return InvalidInput("Slice has no starts or no ends");
  ANEMONE_ASSIGN(const auto ranges, SliceRanges(c.Dims(0), *starts, *ends, axes, steps));
  std::vector<int64_t> begin, end, stride;
  std::vector<bool> to_the_end;
  bool whole = true;
  for (size_t d = 0; d < ranges.size(); ++d) {
    const SliceRange& range = ranges[d];
    if (range.count == 0) return SetEmpty(c, ranges);
    whole = whole && range.count == c.Dims(0)[d] && range.step == 1;
    begin.push_back(range.start);
    stride.push_back(range.step);
    // One step beyond the last element. There is no index before the first one: -1 would mean
    // the last.
    const int64_t last = range.start + (range.count - 1) * range.step;
    end.push_back(range.step > 0 ? last + 1 : std::max<int64_t>(last - 1, 0));
    to_the_end.push_back(range.step < 0 && last == 0);
  }
  if (whole) return c.Forward(0, 0);
  return c.Emit("slice_by_index", {{"x", c.Value(0)},
                                   {"begin", ir::Ints(begin)},
                                   {"end", ir::Ints(end)},
                                   {"stride", ir::Ints(stride)},
                                   {"end_mask", ir::Literal::Bools(to_the_end)}});
}

// Along an open dimension, or into parts known only at run time: one slice after another.
Status EmitOpenSplit(NodeContext& c, size_t axis) {
  const int64_t size = c.Sizes(0)[axis];
  auto sizes = c.Has(1) ? c.KnownSizes(1) : c.IntsAttribute("split");
  if (c.Has(1) && !sizes) return c.Ints(1, "split").status();
  if (!sizes) {
    const auto parts = static_cast<int64_t>(c.OutputCount());
    const auto part = c.symbols().FloorDiv(size, parts);
    if (!part || c.symbols().Mul(*part, parts) != size) return c.NeedsFixed(c.In(0), axis);
    sizes = std::vector<int64_t>(c.OutputCount(), *part);
  }
  if (sizes->size() != c.OutputCount())
    return InvalidInput("Split has {} outputs but {} sizes", c.OutputCount(), sizes->size());
  int64_t sum = 0;
  for (const int64_t part : *sizes) sum = c.AddSizes(sum, part);
  if (c.symbols().Compare(sum, size) != Symbols::Order::kEqual) return c.NeedsFixed(c.In(0), axis);
  if (sizes->size() == 1) return c.Forward(0, 0);
  const size_t rank = c.Sizes(0).size();
  ir::Value* x = c.Value(0);
  int64_t at = 0;
  for (size_t i = 0; i < sizes->size(); ++i) {
    std::vector<int64_t> begin(rank, 0), end(rank, 0);
    std::vector<bool> whole(rank, true), to_end(rank, true);
    begin[axis] = at;
    at = end[axis] = c.AddSizes(at, (*sizes)[i]);
    whole[axis] = false;
    to_end[axis] = i + 1 == sizes->size();
    ir::Shape dims = c.Sizes(0);
    dims[axis] = (*sizes)[i];
    ir::Value* from = c.SizesValue(begin, "begin");
    ir::Value* y = c.Op("slice_by_index", {{"x", x},
                                           {"begin", from},
                                           {"end", c.SizesValue(end, "end")},
                                           {"begin_mask", ir::Literal::Bools(whole)},
                                           {"end_mask", ir::Literal::Bools(to_end)}});
    ANEMONE_TRY(c.Set(i, c.WithDims(y, dims)));
  }
  return c.status();
}

// The declared shapes are the only ones that sizes known at run time can give.
std::optional<std::vector<int64_t>> DeclaredSplit(const NodeContext& c, size_t axis) {
  if (!c.Has(1) || c.Known(1)) return std::nullopt;
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < c.OutputCount(); ++i) {
    const ir::Shape* declared = c.Declared(i);
    if (declared == nullptr || declared->size() != c.Sizes(0).size()) return std::nullopt;
    sizes.push_back((*declared)[axis]);
  }
  return sizes;
}

Status EmitSplit(NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 0), c.Rank(0)));
  if (Symbols::IsSymbol(c.Sizes(0)[static_cast<size_t>(axis)]) || (c.Has(1) && c.In(1).sizes))
    return EmitOpenSplit(c, static_cast<size_t>(axis));
  auto given = DeclaredSplit(c, static_cast<size_t>(axis));
  if (!given) {
    ANEMONE_ASSIGN(given, c.IntsOr(1, "split"));
  }
  ANEMONE_ASSIGN(const auto sizes,
                 SplitSizes(c.Dims(0)[static_cast<size_t>(axis)], c.OutputCount(), given));
  if (sizes.size() == 1) return c.Forward(0, 0);
  // Outputs without elements, which Core ML does not have, are known: the others are split.
  std::vector<int64_t> full;
  std::vector<size_t> outputs;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != 0) {
      full.push_back(sizes[i]);
      outputs.push_back(i);
      continue;
    }
    ir::Shape dims = c.Dims(0);
    dims[static_cast<size_t>(axis)] = 0;
    ANEMONE_TRY(c.SetConstant(i, onnx::Constant::FromInts(c.Type(0), {}, std::move(dims))));
  }
  if (outputs.size() == 1) return c.Forward(outputs[0], 0);
  const auto parts = c.MultiOp("split", {{"x", c.Value(0)},
                                         {"split_sizes", ir::Ints(full)},
                                         {"axis", ir::Literal::Int32(static_cast<int32_t>(axis))}});
  for (size_t i = 0; i < parts.size(); ++i) ANEMONE_TRY(c.Set(outputs[i], parts[i]));
  return c.status();
}

constexpr Converter kConverters[] = {
    {.op = "Slice", .emit = EmitSlice},
    {.op = "Split", .emit = EmitSplit},
    {.op = "SplitToSequence", .emit = EmitSplitToSequence},
    {.op = "SequenceConstruct", .emit = EmitSequenceConstruct},
    {.op = "SequenceEmpty", .emit = EmitSequenceConstruct},
    {.op = "SequenceAt", .emit = EmitSequenceAt},
    {.op = "SequenceInsert", .emit = EmitSequenceInsert},
    {.op = "SequenceErase", .emit = EmitSequenceErase},
    {.op = "SequenceLength", .emit = EmitSequenceLength},
    {.op = "SequenceMap", .emit = EmitSequenceMap},
    {.op = "ConcatFromSequence", .emit = EmitConcatFromSequence},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::slice
