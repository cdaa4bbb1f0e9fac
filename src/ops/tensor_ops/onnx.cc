// ONNX: Concat, Pad, Expand, Tile, Where, TopK, OneHot, CumSum, Trilu.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "onnx/converter.h"
#include "onnx/expansion.h"
#include "onnx/integer_products.h"
#include "ops/infer.h"
#include "ops/tensor_ops/ngrams_onnx.h"
#include "ops/tensor_ops/repeat_onnx.h"
#include "ops/tensor_ops/selection_onnx.h"
#include "ops/tensor_ops/signal_onnx.h"
#include "ops/tensor_ops/unique_onnx.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

ir::Literal Int(int64_t value) { return ir::Literal::Int32(static_cast<int32_t>(value)); }

Status EmitConcat(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(std::max<size_t>(c.InputCount(), 1)));
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 1), c.Rank(0)));
  // Tensors without elements, which Core ML does not have, add nothing.
  std::vector<size_t> parts;
  for (size_t i = 0; i < c.InputCount(); ++i) {
    if (c.Rank(i) != c.Rank(0)) return InvalidInput("the inputs of Concat differ in rank");
    if (c.Sizes(i)[static_cast<size_t>(axis)] != 0) parts.push_back(i);
  }
  if (parts.empty()) return Unsupported("its output is empty");
  if (parts.size() == 1) return c.Forward(0, parts[0]);
  std::vector<ir::Value*> values;
  for (const size_t i : parts) values.push_back(c.Value(i));
  ANEMONE_TRY(c.status());
  return c.Emit("concat", {{"values", values}, {"axis", Int(axis)}});
}

// Pads for each dimension, begin and end.
struct Pads {
  std::vector<int64_t> begin, end;
};
Result<Pads> ReadPads(const NodeContext& c) {
  const auto rank = static_cast<size_t>(c.Rank(0));
  ANEMONE_ASSIGN(const auto given, c.IntsOr(1, "pads"));
  if (!given) return InvalidInput("Pad has no pads");
  std::vector<int64_t> axes(rank);
  for (size_t d = 0; d < rank; ++d) axes[d] = static_cast<int64_t>(d);
  if (c.Has(3)) {
    ANEMONE_ASSIGN(axes, c.Ints(3, "axes"));
    ANEMONE_ASSIGN(axes, NormalizeAxes(axes, c.Rank(0)));
  }
  if (given->size() != 2 * axes.size())
    return InvalidInput("pads has {} entries for {} axes", given->size(), axes.size());
  Pads pads{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0)};
  for (size_t i = 0; i < axes.size(); ++i) {
    pads.begin[static_cast<size_t>(axes[i])] = (*given)[i];
    pads.end[static_cast<size_t>(axes[i])] = (*given)[i + axes.size()];
  }
  for (size_t d = 0; d < rank; ++d) {
    // Not std::abs: the lowest int64 has no positive counterpart.
    const auto fits = [](int64_t pad) { return pad >= -INT32_MAX && pad <= INT32_MAX; };
    if (!fits(pads.begin[d]) || !fits(pads.end[d])) {
      return InvalidInput("a pad is too large");
    }
    if (!Symbols::IsSymbol(c.Sizes(0)[d]) && c.Dims(0)[d] + pads.begin[d] + pads.end[d] < 1)
      return Unsupported("its output is empty");
  }
  return pads;
}

// Negative pads crop.
ir::Value* Crop(NodeContext& c, ir::Value* x, Pads& pads) {
  std::vector<int64_t> begin, end;
  bool crops = false;
  const auto below = [](int64_t pad) { return pad < 0; };
  if (std::ranges::none_of(pads.begin, below) && std::ranges::none_of(pads.end, below)) return x;
  for (size_t d = 0; d < pads.begin.size(); ++d) {
    begin.push_back(std::max<int64_t>(-pads.begin[d], 0));
    end.push_back(c.Dims(0)[d] - std::max<int64_t>(-pads.end[d], 0));
    crops = crops || pads.begin[d] < 0 || pads.end[d] < 0;
    pads.begin[d] = std::max<int64_t>(pads.begin[d], 0);
    pads.end[d] = std::max<int64_t>(pads.end[d], 0);
  }
  if (!crops) return x;
  return c.Op("slice_by_index", {{"x", x}, {"begin", ir::Ints(begin)}, {"end", ir::Ints(end)}});
}

// The element that stands at `at`, which may be outside 0 ... size - 1.
int64_t Mirrored(const std::string& mode, int64_t at, int64_t size) {
  if (mode == "edge" || size == 1) return std::clamp<int64_t>(at, 0, size - 1);
  const int64_t period = mode == "wrap" ? size : 2 * (size - 1);
  const int64_t rest = (at % period + period) % period;
  return rest < size ? rest : period - rest;
}

// Any mode that repeats elements, on any axes and types: each axis is gathered.
Status EmitPadByGather(NodeContext& c, const Pads& pads, const std::string& mode) {
  ir::Value* x = c.Dtype(0) == DType::kBool ? c.Cast(c.Value(0), DType::kInt32) : c.Value(0);
  for (size_t d = 0; d < pads.begin.size(); ++d) {
    if (pads.begin[d] == 0 && pads.end[d] == 0) continue;
    const int64_t size = c.Dims(0)[d], out = size + pads.begin[d] + pads.end[d];
    if (!FoldableCount({out})) return InvalidInput("a dim would have {} elements", out);
    std::vector<int64_t> at;
    for (int64_t i = 0; i < out; ++i) at.push_back(Mirrored(mode, i - pads.begin[d], size));
    x = c.Op("gather",
             {{"x", x}, {"indices", ir::Ints(at)}, {"axis", Int(static_cast<int64_t>(d))}});
  }
  return c.Set(0, c.Cast(x, c.Dtype(0)));
}

// MIL pads floats only: a constant is added to integers, axis by axis.
Status EmitPadOfInts(NodeContext& c, ir::Value* x, const Pads& pads, int64_t fill) {
  if (c.IsOpen(0)) return Unsupported("padding of integers in a tensor with open dimensions");
  for (size_t d = 0; d < pads.begin.size() && x != nullptr; ++d) {
    std::vector<ir::Value*> parts;
    const auto add = [&](int64_t size) {
      if (size == 0) return;
      ir::Shape dims = c.DimsOf(x);
      dims[d] = size;
      const auto block = onnx::Constant::FromInts(DType::kInt32, {fill}, {});
      parts.push_back(c.MakeConst(BroadcastConstant(block, dims), "pad"));
    };
    add(pads.begin[d]);
    parts.push_back(x);
    add(pads.end[d]);
    if (parts.size() > 1)
      x = c.Op("concat", {{"values", parts}, {"axis", Int(static_cast<int64_t>(d))}});
  }
  return c.Set(0, c.Cast(x, c.Dtype(0)));
}

Status EmitPad(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(1));
  ANEMONE_ASSIGN(Pads pads, ReadPads(c));
  const std::string mode = c.String("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    return InvalidInput("mode is '{}'", mode);
  const auto zero = [](int64_t pad) { return pad == 0; };
  if (std::all_of(pads.begin.begin(), pads.begin.end(), zero) &&
      std::all_of(pads.end.begin(), pads.end.end(), zero)) {
    return c.Forward(0, 0);
  }
  double value = c.opset() < 11 ? c.Float("value", 0) : 0;
  if (c.Has(2) && mode == "constant") {
    ANEMONE_ASSIGN(value, c.Number(2, "the padding value"));
  }
  const size_t inner = pads.begin.size() - std::min<size_t>(pads.begin.size(), 2);
  const bool outside =
      std::any_of(pads.begin.begin(), pads.begin.begin() + static_cast<std::ptrdiff_t>(inner),
                  [](int64_t pad) { return pad != 0; }) ||
      std::any_of(pads.end.begin(), pads.end.begin() + static_cast<std::ptrdiff_t>(inner),
                  [](int64_t pad) { return pad != 0; });
  if (mode == "wrap" || (mode != "constant" && (outside || !c.IsFloat(0)))) {
    return EmitPadByGather(c, pads, mode);
  }
  ir::Value* x =
      Crop(c, c.Dtype(0) == DType::kBool ? c.Cast(c.Value(0), DType::kInt32) : c.Value(0), pads);
  if (!c.IsFloat(0)) return EmitPadOfInts(c, x, pads, static_cast<int64_t>(value));
  // Only the last dimensions need to be named, and only two of them may be reflected or repeated.
  size_t first = 0;
  while (first < pads.begin.size() && pads.begin[first] == 0 && pads.end[first] == 0) ++first;
  if (first == pads.begin.size()) return c.Set(0, x);
  if (mode == "constant") {
    first = 0;
  } else {
    first = inner;
  }
  std::vector<int64_t> flat;
  for (size_t d = first; d < pads.begin.size(); ++d) {
    flat.insert(flat.end(), {pads.begin[d], pads.end[d]});
  }
  const auto fill = ir::Literal::Fp32(static_cast<float>(value));
  const std::string mil_mode = mode == "edge" ? "replicate" : mode;
  return c.Emit("pad", {{"x", x},
                        {"pad", ir::Ints(flat)},
                        {"mode", ir::Literal::String(mil_mode)},
                        {"constant_val", fill}});
}

Status EmitWhere(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  return c.Emit("select", {{"cond", c.Value(0)}, {"a", c.Value(1)}, {"b", c.Value(2)}});
}

// The first `k` along the axis of `x`, which has the given sizes; k is known only at run time.
ir::Value* FirstOf(NodeContext& c, ir::Value* x, ir::Shape sizes, size_t axis, int64_t k) {
  std::vector<bool> whole(sizes.size(), true);
  whole[axis] = false;
  std::vector<int64_t> end(sizes.size(), 0);
  sizes[axis] = end[axis] = k;
  ir::Value* y = c.Op("slice_by_index", {{"x", x},
                                         {"begin", ir::Ints(std::vector<int64_t>(sizes.size(), 0))},
                                         {"end", c.SizesValue(end, "ends")},
                                         {"begin_mask", ir::Literal::Bools(whole)},
                                         {"end_mask", ir::Literal::Bools(whole)}});
  return c.WithDims(y, std::move(sizes));
}

// MIL's k must be known: all are sorted, and the first ones taken.
Status EmitOpenTopK(NodeContext& c, size_t axis, int64_t k) {
  const ir::Shape sizes = c.Sizes(0);
  const auto sorted =
      c.MultiOp("topk", {{"x", c.Value(0)},
                         {"k", Int(-1)},
                         {"axis", Int(static_cast<int64_t>(axis))},
                         {"ascending", ir::Literal::Bool(c.Int("largest", 1) == 0)}});
  for (size_t i = 0; i < sorted.size(); ++i) {
    ir::Value* y = c.WithDims(sorted[i], sizes);
    ANEMONE_TRY(c.Set(i, k == sizes[axis] ? y : FirstOf(c, y, sizes, axis, k)));
  }
  return c.status();
}

Status EmitTopK(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(1));
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", -1), c.Rank(0)));
  int64_t k = c.Int("k", 0);
  if (c.opset() >= 10) {
    // The declared shape says the k that only the run time knows.
    const ir::Shape* declared = c.Declared(0) != nullptr ? c.Declared(0) : c.Declared(1);
    if (!c.Known(1) && declared != nullptr && static_cast<int64_t>(declared->size()) == c.Rank(0)) {
      k = (*declared)[static_cast<size_t>(axis)];
    } else if (const auto sizes = c.KnownSizes(1);
               sizes && sizes->size() == 1 && Symbols::IsSymbol(sizes->front())) {
      return EmitOpenTopK(c, static_cast<size_t>(axis), sizes->front());
    } else {
      ANEMONE_ASSIGN(const auto given, c.Ints(1, "k"));
      if (given.size() != 1) return InvalidInput("k is not a scalar");
      k = given[0];
    }
  }
  const int64_t size = c.Sizes(0)[static_cast<size_t>(axis)];
  if (k < 1 || k > c.symbols().BoundsOf(size).high) {
    return InvalidInput("k is {}, but the dim has {}", k, c.symbols().Text(size));
  }
  const auto values =
      c.MultiOp("topk", {{"x", c.Value(0)},
                         {"k", Int(k)},
                         {"axis", Int(axis)},
                         {"ascending", ir::Literal::Bool(c.Int("largest", 1) == 0)}});
  for (size_t i = 0; i < values.size(); ++i) ANEMONE_TRY(c.Set(i, values[i]));
  return c.status();
}

// Values that only the run time knows: [off, on].
Status EmitOneHotOfValues(NodeContext& c, int64_t axis, int64_t depth) {
  Expansion e(c);
  const auto hot =
      e.Op("OneHot", {e.In(0), e.Int64(depth), e.Int64s({0, 1})}, {attribute::Int("axis", axis)});
  const auto value = [&](int64_t i) { return e.Op("Gather", {e.In(2), e.Int64(i)}); };
  return e.Finish({e.Op("Where", {e.Cast(hot, ElementType::kBool), value(1), value(0)})});
}

Status EmitOneHot(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", -1), c.Rank(0) + 1));
  double depth = 0;
  const ir::Shape* declared = c.Declared(0);
  if (!c.Known(1) && declared != nullptr &&
      static_cast<int64_t>(declared->size()) == c.Rank(0) + 1) {
    // The declared shape is the only one that a depth known at run time can give.
    depth = static_cast<double>((*declared)[static_cast<size_t>(axis)]);
  } else {
    ANEMONE_ASSIGN(depth, c.Number(1, "depth"));
  }
  if (!(depth >= 1 && depth <= INT32_MAX)) return InvalidInput("depth is {}", depth);
  const auto* values = c.Const(2);
  if (values == nullptr) return EmitOneHotOfValues(c, axis, static_cast<int64_t>(depth));
  const auto off_on = values->AsDoubles();
  if (!off_on || off_on->size() != 2) return InvalidInput("values needs two elements");
  const auto literal = [&](double value) {
    return values->is_integer() ? Int(static_cast<int64_t>(value))
                                : ir::Literal::Fp32(static_cast<float>(value));
  };
  // Indices below zero count from the end.
  ir::Value* indices = c.Cast(c.Value(0), DType::kInt32);
  ir::Value* wrapped =
      c.Binary("add", {indices, c.MakeConst(Int(static_cast<int64_t>(depth)), "depth")});
  ir::Value* below = c.Binary("less", {indices, c.MakeConst(Int(0), "zero")});
  indices = c.Op("select", {{"cond", below}, {"a", wrapped}, {"b", indices}});
  ir::Value* hot = c.Op("one_hot", {{"indices", indices},
                                    {"one_hot_vector_size", Int(static_cast<int64_t>(depth))},
                                    {"axis", Int(axis)},
                                    {"on_value", literal((*off_on)[1])},
                                    {"off_value", literal((*off_on)[0])}});
  return c.Set(0, hot);
}

Status EmitCumSum(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  const auto along = [&](int64_t axis) -> Args {
    return {{"x", c.Value(0)},
            {"axis", Int(axis)},
            {"exclusive", ir::Literal::Bool(c.Int("exclusive", 0) != 0)},
            {"reverse", ir::Literal::Bool(c.Int("reverse", 0) != 0)}};
  };
  if (c.Const(1) == nullptr) {
    // One sum for each axis, of which the axis chooses.
    ir::Value* axis = c.Reshape(c.Value(1), {});
    ir::Value* rank = c.MakeConst(Int(c.Rank(0)), "rank");
    ir::Value* wrapped = c.Binary("mod", {axis, rank});
    ir::Value* y = c.Op("cumsum", along(0));
    for (int64_t d = 1; d < c.Rank(0); ++d) {
      ir::Value* chosen = c.Binary("equal", {wrapped, c.MakeConst(Int(d), "axis")});
      y = c.Op("select", {{"cond", chosen}, {"a", c.Op("cumsum", along(d))}, {"b", y}});
    }
    return c.Set(0, y);
  }
  ANEMONE_ASSIGN(const auto given, c.Ints(1, "the axis"));
  if (given.size() != 1) return InvalidInput("the axis is not a scalar");
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(given[0], c.Rank(0)));
  return c.Emit("cumsum", along(axis));
}

// One product for each axis, of which the axis chooses.
Status EmitRuntimeCumProd(NodeContext& c) {
  Expansion e(c);
  const auto axis = e.Op("Mod", {e.In(1), e.Int64(c.Rank(0))});
  std::string y;
  for (int64_t d = 0; d < c.Rank(0); ++d) {
    const auto one = e.Op("CumProd", {e.In(0), e.Int64(d)}, c.node().attributes);
    y = d == 0 ? one : e.Op("Where", {e.Op("Equal", {axis, e.Int64(d)}), one, y});
  }
  return e.Finish({y});
}

// A product over the elements up to each one. MIL has no running product, so each is one of a
// triangle: element j takes part in result i where it stands before it.
Status EmitCumProd(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  if (!c.Known(1) && c.Rank(0) > 0) return EmitRuntimeCumProd(c);
  ANEMONE_ASSIGN(const auto given, c.Ints(1, "the axis"));
  if (given.size() != 1) return InvalidInput("the axis is not a scalar");
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(given[0], c.Rank(0)));
  const bool exclusive = c.Int("exclusive", 0) != 0, reverse = c.Int("reverse", 0) != 0;
  const ir::Shape& dims = c.Dims(0);
  const int64_t size = dims[static_cast<size_t>(axis)];
  const int64_t count = ir::ElementCount(dims).value_or(INT64_MAX / (size + 1));
  if (!FoldableCount({count, size})) {
    return Unsupported("a running product over {} of {} elements", size, count)
        .Advise("split it into shorter ones");
  }
  int64_t outer = 1;
  for (int64_t d = 0; d < axis; ++d) outer *= dims[static_cast<size_t>(d)];
  const int64_t inner = count / std::max<int64_t>(outer * size, 1);
  std::vector<int64_t> takes;
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t j = 0; j < size; ++j) {
      const int64_t before = reverse ? j - i : i - j;
      takes.push_back(exclusive ? before > 0 : before >= 0);
    }
  }
  ir::Value* x = c.Reshape(c.Value(0), {outer, 1, size, inner});
  ir::Value* mask =
      c.MakeConst(onnx::Constant::FromInts(DType::kBool, takes, {1, size, size, 1}), "mask");
  ir::Value* one = c.IsFloat(0) ? c.Float32(1) : c.MakeConst(Int(1), "one");
  // All operands of a select have the result's shape.
  ir::Value* repeated = c.Op("tile", {{"x", x}, {"reps", ir::Ints({1, size, 1, 1})}});
  ir::Value* factors = c.Op("select", {{"cond", mask}, {"a", repeated}, {"b", one}});
  ir::Value* y =
      c.Op("reduce_prod",
           {{"x", factors}, {"axes", ir::Ints({2})}, {"keep_dims", ir::Literal::Bool(false)}});
  return c.SetView(0, c.Wrap(y, c.Type(0)), dims);
}

Status EmitEyeLike(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(1));
  if (c.Rank(0) != 2) return InvalidInput("the input needs rank 2");
  const int64_t rows = c.Dims(0)[0], columns = c.Dims(0)[1], k = c.Int("k", 0);
  if (!FoldableCount({rows, columns})) return Unsupported("a matrix of {} by {}", rows, columns);
  if (k < -INT32_MAX || k > INT32_MAX) return InvalidInput("k is {}", k);
  DType type = c.Type(0);
  if (c.HasAttribute("dtype")) type = ToDType(static_cast<int32_t>(c.Int("dtype", 1)));
  if (type == DType::kInvalid || type == DType::kString) return Unsupported("this element type");
  std::vector<int64_t> values(static_cast<size_t>(rows * columns), 0);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t column = row + k;
    if (column >= 0 && column < columns) values[static_cast<size_t>(row * columns + column)] = 1;
  }
  return c.SetConstant(0, onnx::Constant::FromInts(type, values, {rows, columns}));
}

// Cuts or fills both ends of each axis; an odd element stays, or is added, at the end.
Status EmitCenterCropPad(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  std::vector<int64_t> axes(static_cast<size_t>(c.Rank(0)));
  std::iota(axes.begin(), axes.end(), 0);
  if (const auto given = c.IntsAttribute("axes")) {
    ANEMONE_ASSIGN(axes, NormalizeAxes(*given, c.Rank(0)));
  }
  std::vector<int64_t> wanted;
  if (const auto* declared = c.Declared(0);
      !c.Known(1) && declared != nullptr && declared->size() == c.Sizes(0).size()) {
    // The only sizes that a shape known at run time can give.
    for (const int64_t axis : axes) wanted.push_back((*declared)[static_cast<size_t>(axis)]);
  } else {
    ANEMONE_ASSIGN(wanted, c.Ints(1, "the shape"));
  }
  if (wanted.size() != axes.size())
    return InvalidInput("{} sizes for {} axes", wanted.size(), axes.size());
  std::vector<int64_t> begin, end, before(axes.size(), 0), after(axes.size(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t size = c.Dims(0)[static_cast<size_t>(axes[i])];
    if (wanted[i] < 1) return InvalidInput("a size is {}", wanted[i]);
    const int64_t cut = std::max<int64_t>(size - wanted[i], 0);
    begin.push_back(cut / 2);
    end.push_back(size - (cut - cut / 2));
    const int64_t grow = std::max<int64_t>(wanted[i] - size, 0);
    before[i] = grow / 2;
    after[i] = grow - grow / 2;
  }
  Expansion e(c);
  const auto cut = e.Op("Slice", {e.In(0), e.Int64s(begin), e.Int64s(end), e.Int64s(axes)});
  before.insert(before.end(), after.begin(), after.end());
  return e.Finish({e.Op("Pad", {cut, e.Int64s(before), "", e.Int64s(axes)})});
}

// 0, 1 ... size - 1, along dimension `d` of two.
ir::Value* Counted(NodeContext& c, int64_t size, size_t d) {
  ir::Value* end = c.Reshape(c.SizeValue(size), {});
  ir::Value* range = c.Op("range_1d", {{"end", end}, {"start", Int(0)}, {"step", Int(1)}});
  return c.Reshape(c.WithDims(range, {size}), d == 0 ? ir::Shape{size, 1} : ir::Shape{1, size});
}

// The triangle of a matrix whose size the run time knows: from the distance of each element from the
// diagonal.
Status EmitOpenTrilu(NodeContext& c, bool upper) {
  const ir::Shape& dims = c.Sizes(0);
  ir::Value* column = Counted(c, dims.back(), 1);
  ir::Value* distance = c.Binary("sub", {column, Counted(c, dims[dims.size() - 2], 0)});
  ir::Value* k = c.Has(1) ? c.Reshape(c.Value(1), {}) : c.MakeConst(Int(0), "k");
  ir::Value* keep = c.Binary(upper ? "greater_equal" : "less_equal", {distance, k});
  if (c.Dtype(0) == DType::kBool) return c.Emit("logical_and", {{"x", c.Value(0)}, {"y", keep}});
  ir::Value* zero = c.IsFloat(0) ? c.Float32(0) : c.MakeConst(Int(0), "zero");
  return c.Emit("select", {{"cond", keep}, {"a", c.Value(0)}, {"b", zero}});
}

// Keeps the elements on and above (or below) the diagonal k.
Status EmitTrilu(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(1));
  if (c.Rank(0) < 2) return InvalidInput("the input needs rank 2 or more");
  const bool upper = c.Int("upper", 1) != 0;
  if (Symbols::IsSymbol(c.Sizes(0)[c.Sizes(0).size() - 2]) || Symbols::IsSymbol(c.Sizes(0).back()))
    return EmitOpenTrilu(c, upper);
  const int64_t rows = c.Dims(0)[c.Dims(0).size() - 2], columns = c.Dims(0).back();
  if (rows * columns > int64_t{1} << 24)
    return Unsupported("a triangle of {} by {}", rows, columns);
  std::vector<int64_t> distance;  // from the diagonal
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) distance.push_back(column - row);
  }
  ir::Value* keep;
  if (c.Has(1) && c.Const(1) == nullptr) {
    ir::Value* known =
        c.MakeConst(onnx::Constant::Int64s(std::move(distance), {rows, columns}), "distance");
    keep = c.Binary(upper ? "greater_equal" : "less_equal", {known, c.Reshape(c.Value(1), {})});
  } else {
    int64_t k = 0;
    if (c.Has(1)) {
      ANEMONE_ASSIGN(const auto given, c.Ints(1, "k"));
      if (given.size() != 1) return InvalidInput("k is not a scalar");
      k = given[0];
    }
    for (int64_t& at : distance) at = upper ? at >= k : at <= k;
    keep = c.MakeConst(onnx::Constant::FromInts(DType::kBool, distance, {rows, columns}), "mask");
  }
  if (c.Dtype(0) == DType::kBool) return c.Emit("logical_and", {{"x", c.Value(0)}, {"y", keep}});
  ir::Value* zero = c.IsFloat(0) ? c.Float32(0) : c.MakeConst(Int(0), "zero");
  return c.Emit("select", {{"cond", keep}, {"a", c.Value(0)}, {"b", zero}});
}

constexpr std::string_view kText = "Core ML's programs compute no text";
constexpr std::string_view kOutside = "do it outside the model";

constexpr Converter kConverters[] = {
    {.op = "Concat", .emit = EmitConcat},
    {.op = "Pad", .emit = EmitPad},
    {.op = "Expand", .emit = EmitExpand},
    {.op = "Tile", .emit = EmitTile},
    {.op = "Where", .emit = EmitWhere},
    {.op = "TopK", .emit = EmitTopK},
    {.op = "OneHot", .emit = EmitOneHot},
    {.op = "CumSum", .emit = EmitCumSum},
    {.op = "Trilu", .emit = EmitTrilu},
    {.op = "NonZero", .emit = EmitNonZero},
    {.op = "Unique", .emit = EmitUnique},
    {.op = "NonMaxSuppression", .emit = EmitNonMaxSuppression},
    {.op = "PickBoxes", .emit = EmitPickBoxes, .domain = kOwnDomain},
    {.op = "EyeLike", .emit = EmitEyeLike},
    {.op = "CumProd", .emit = EmitCumProd},
    {.op = "CenterCropPad", .emit = EmitCenterCropPad},
    {.op = "HannWindow", .emit = EmitWindow},
    {.op = "HammingWindow", .emit = EmitWindow},
    {.op = "BlackmanWindow", .emit = EmitWindow},
    {.op = "MelWeightMatrix", .emit = EmitMelWeightMatrix},
    {.op = "DFT", .emit = EmitDft},
    {.op = "STFT", .emit = EmitStft},
    {.op = "StringNormalizer", .refusal = kText, .rewrite = kOutside},
    {.op = "TfIdfVectorizer", .emit = EmitTfIdfVectorizer},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::tensor_ops
