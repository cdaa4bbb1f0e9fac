#include "ops/tensor_ops/repeat_onnx.h"

#include <algorithm>

namespace anemone::ops::tensor_ops {

using namespace onnx;  // NOLINT: a converter file speaks both

namespace {

// Repeats `x` to `dims`; both have the same rank.
ir::Value* TileTo(NodeContext& c, ir::Value* x, const std::vector<int64_t>& repeats) {
  if (std::all_of(repeats.begin(), repeats.end(), [](int64_t r) { return r == 1; })) return x;
  return c.Op("tile", {{"x", x}, {"reps", ir::Ints(repeats)}});
}

// Where a dimension of the input or of the shape is open.
Status EmitOpenExpand(NodeContext& c, ir::Shape shape) {
  ir::Shape own = c.Sizes(0);
  const size_t rank = std::max(own.size(), shape.size());
  own.insert(own.begin(), rank - own.size(), 1);
  shape.insert(shape.begin(), rank - shape.size(), 1);
  ir::Shape dims, repeats;
  bool broadcast = false;
  for (size_t d = 0; d < rank; ++d) {
    if (!Symbols::IsSymbol(shape[d]) && shape[d] < 1) return Unsupported("its output is empty");
    if (own[d] == shape[d] || shape[d] == 1) {
      dims.push_back(own[d]);
      repeats.push_back(1);
    } else if (own[d] == 1) {
      dims.push_back(shape[d]);
      repeats.push_back(shape[d]);
    } else if (!Symbols::IsSymbol(own[d]) && !Symbols::IsSymbol(shape[d])) {
      return InvalidInput("a dim of {} cannot be expanded to {}", own[d], shape[d]);
    } else {
      // Equal at run time, or one of them 1: an operator that broadcasts finds out.
      broadcast = true;
      dims.push_back(!Symbols::IsSymbol(own[d]) ? own[d]
                     : !Symbols::IsSymbol(shape[d])
                         ? shape[d]
                         : c.symbols().Max(own[d], shape[d]).value_or(ir::kDynamic));
    }
  }
  if (!broadcast && std::ranges::all_of(repeats, [](int64_t r) { return r == 1; }))
    return c.SetView(0, c.Value(0), dims);
  ir::Value* x = c.Reshape(c.Value(0), own);
  if (!broadcast) {
    ir::Value* y = c.Op("tile", {{"x", x}, {"reps", c.SizesValue(repeats, "reps")}});
    return c.Set(0, c.WithDims(y, dims));
  }
  const bool boolean = c.Dtype(0) == DType::kBool;
  const auto one = boolean || !c.IsFloat(0) ? ir::Literal::Int32(1) : ir::Literal::Fp32(1);
  ir::Value* ones = c.Op("fill", {{"shape", c.SizesValue(shape, "shape")}, {"value", one}});
  c.WithDims(ones, shape);
  ir::Value* y = c.Binary("mul", {boolean ? c.Cast(x, DType::kInt32) : x, ones});
  return c.Set(0, c.Cast(c.WithDims(y, dims), c.Dtype(0)));
}

}  // namespace

Status EmitExpand(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  if (c.IsOpen(0) || c.In(1).sizes) {
    auto known = c.KnownSizes(1);
    if (known) return EmitOpenExpand(c, std::move(*known));
  }
  // The declared shape is the only one that a shape known at run time can give.
  const bool declared = c.Const(1) == nullptr && c.Declared(0) != nullptr;
  std::vector<int64_t> shape;
  if (declared) {
    shape = *c.Declared(0);
  } else {
    ANEMONE_ASSIGN(shape, c.Ints(1, "the shape"));
  }
  ANEMONE_ASSIGN(const ir::Shape dims, ExpandedDims(c.Dims(0), shape));
  ir::Shape own(dims.size() - c.Dims(0).size(), 1);
  own.insert(own.end(), c.Dims(0).begin(), c.Dims(0).end());
  std::vector<int64_t> repeats;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] == 0) return Unsupported("its output is empty");
    repeats.push_back(own[d] == dims[d] ? 1 : dims[d]);
  }
  if (own == dims) return c.SetView(0, c.Value(0), dims);
  return c.SetView(0, TileTo(c, c.Reshape(c.Value(0), own), repeats), dims);
}

Status EmitTile(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  std::vector<int64_t> repeats;
  if (c.In(1).sizes) {
    if (c.In(1).sizes->size() != c.Sizes(0).size())
      return InvalidInput("Tile needs one repeat for each dim");
    ir::Shape dims;
    for (size_t d = 0; d < c.Sizes(0).size(); ++d)
      dims.push_back(c.MulSizes(c.Sizes(0)[d], (*c.In(1).sizes)[d]));
    ir::Value* x = c.Value(0);
    ir::Value* y = c.Op("tile", {{"x", x}, {"reps", c.SizesValue(*c.In(1).sizes, "reps")}});
    return c.Set(0, c.WithDims(y, dims));
  }
  if (c.Const(1) == nullptr && c.Declared(0) != nullptr &&
      c.Declared(0)->size() == c.Dims(0).size()) {
    // The declared shape is the only one that repeats known at run time can give.
    for (size_t d = 0; d < c.Dims(0).size(); ++d)
      repeats.push_back((*c.Declared(0))[d] / std::max<int64_t>(c.Dims(0)[d], 1));
  } else {
    ANEMONE_ASSIGN(repeats, c.Ints(1, "repeats"));
  }
  if (repeats.size() != c.Dims(0).size()) return InvalidInput("Tile needs one repeat for each dim");
  for (const int64_t repeat : repeats) {
    if (repeat < 1) return Unsupported("its output is empty");
  }
  return c.Set(0, TileTo(c, c.Value(0), repeats));
}

}  // namespace anemone::ops::tensor_ops
