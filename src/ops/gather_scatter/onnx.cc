// ONNX: Gather, Scatter and their variants.
#include <algorithm>

#include "onnx/converter.h"
#include "ops/gather_scatter/more_onnx.h"
#include "ops/infer.h"

namespace anemone::ops::gather_scatter {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

// Whether it holds positions that an operator has found, moved about perhaps: none of them is negative.
bool ArePositions(const ir::Value* value) {
  while (value != nullptr && value->producer != nullptr) {
    const ir::Operation& made = *value->producer;
    const std::string_view type = made.type();
    const bool of_topk = type == "topk" && value != made.output(0);
    if (of_topk || type == "non_zero" || type == "argsort" || type == "reduce_argmax" ||
        type == "reduce_argmin")
      return true;
    // Where -1 stands in what non_maximum_suppression gives, the importer reads nothing.
    if (type == "gather_nd") {
      const ir::Operation* from = made.Input("x")->producer;
      const ir::Operation* places = made.Input("indices")->producer;
      return from != nullptr && from->type() == "non_maximum_suppression" && places != nullptr &&
             places->type() == "non_zero";
    }
    if (type != "transpose" && type != "reshape" && type != "squeeze" && type != "expand_dims" &&
        type != "slice_by_index" && type != "slice_by_size" && type != "gather" &&
        type != "split" && type != "tile")
      return false;
    value = made.Input("x");
  }
  return false;
}

// Indices with negative ones counted from the end. Known ones are checked; at run time `size` is
// added where needed.
Result<ir::Value*> Indices(NodeContext& c, size_t input, int64_t size) {
  const bool open = Symbols::IsSymbol(size);
  if (const auto* constant = c.Const(input); constant != nullptr && !open) {
    auto values = constant->AsInts();
    if (!values) return InvalidInput("the indices are not integers");
    for (int64_t& value : *values) {
      if (value < 0) value += size;
      if (value < 0 || value >= size) {
        return InvalidInput("an index is outside the dim of {}", size);
      }
    }
    return c.MakeConst(onnx::Constant::Int64s(std::move(*values), constant->dims), "indices");
  }
  ir::Value* indices = c.Value(input);
  const auto known = c.KnownSizes(input);
  if (known &&
      std::ranges::all_of(*known, [&](int64_t at) { return c.symbols().BoundsOf(at).low >= 0; })) {
    return indices;
  }
  if (ArePositions(indices)) return indices;
  ir::Value* zero = c.MakeConst(ir::Literal::Int32(0), "zero");
  ir::Value* negative = c.Binary("less", {indices, zero});
  ir::Value* count = open ? c.Reshape(c.SizeValue(size), {})
                          : c.MakeConst(ir::Literal::Int32(static_cast<int32_t>(size)), "size");
  ir::Value* wrapped = c.Binary("add", {indices, count});
  return c.Op("select", {{"cond", negative}, {"a", wrapped}, {"b", indices}});
}

// gather takes no bool before iOS17, so such a tensor is passed as int32.
ir::Value* Data(NodeContext& c, size_t input) {
  ir::Value* value = c.Value(input);
  return c.Dtype(input) == DType::kBool ? c.Cast(value, DType::kInt32) : value;
}

Status Finish(NodeContext& c, ir::Value* y) {
  return c.Set(0, c.Dtype(0) == DType::kBool ? c.Cast(y, DType::kBool) : y);
}

ir::Literal Axis(int64_t axis) { return ir::Literal::Int32(static_cast<int32_t>(axis)); }

// The table that rows are gathered from. Known integers of 4 or 8 bits, which a DequantizeLinear
// scales afterwards, stay so: they are gathered as whole numbers in float, as QuantizeLinear gives.
Result<ir::Value*> Table(NodeContext& c) {
  const bool whole = c.Known(0) && c.QuantizedIn(0) == nullptr && IsInt(c.Type(0));
  const int bits = whole ? BitWidth(c.Type(0)) : 0;
  if (bits != 4 && bits != 8) return Data(c, 0);
  if (c.target() < (bits == 4 ? ir::Opset::kIOS18 : ir::Opset::kIOS16)) return Data(c, 0);
  ANEMONE_ASSIGN(const auto kept,
                 MakeQuantized(*c.Const(0), Constant::Floats({1}, {}), nullptr, 0, 0));
  if (!kept) return Data(c, 0);
  c.SetType(0, c.Type(0));
  return c.MakeConst(*kept, "table");
}

// The slice at one known index, which may count from the end; the dimension is dropped.
Status PickOpen(NodeContext& c, size_t axis, int64_t at) {
  const size_t rank = c.Sizes(0).size();
  const auto bounds = c.symbols().BoundsOf(c.Sizes(0)[axis]);
  if (at >= INT32_MAX || at < -INT32_MAX || at >= bounds.high || -at > bounds.high)
    return InvalidInput("index {} is outside the dim of {}", at,
                        c.symbols().Text(c.Sizes(0)[axis]));
  std::vector<int64_t> begin(rank, 0), end(rank, 0);
  std::vector<bool> whole(rank, true), squeeze(rank, false);
  begin[axis] = at;
  end[axis] = at + 1;
  whole[axis] = false;
  squeeze[axis] = true;
  std::vector<bool> to_end = whole;
  to_end[axis] = at == -1;
  ir::Shape dims = c.Sizes(0);
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  ir::Value* y = c.Op("slice_by_index", {{"x", Data(c, 0)},
                                         {"begin", ir::Ints(begin)},
                                         {"end", ir::Ints(end)},
                                         {"begin_mask", ir::Literal::Bools(whole)},
                                         {"end_mask", ir::Literal::Bools(to_end)},
                                         {"squeeze_mask", ir::Literal::Bools(squeeze)}});
  return Finish(c, c.WithDims(y, std::move(dims)));
}

Status EmitGather(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 0), c.Rank(0)));
  const int64_t size = c.Sizes(0)[static_cast<size_t>(axis)];
  const auto* index = c.Const(1);
  if (index != nullptr && index->dims.empty() && c.Rank(0) > 1 && c.IsOpen(0)) {
    const auto at = index->AsInts();
    if (at && at->size() == 1) return PickOpen(c, static_cast<size_t>(axis), at->front());
  }
  if (index != nullptr && index->dims.empty() && c.Rank(0) > 1) {
    // One known index: a slice that drops the dimension.
    int64_t at = index->AsInts().value_or(std::vector<int64_t>{-1})[0];
    if (at < 0) at += size;
    if (at < 0 || at >= size) return InvalidInput("index {} is outside the dim of {}", at, size);
    std::vector<int64_t> begin(c.Dims(0).size(), 0), end = c.Dims(0);
    std::vector<bool> squeeze(c.Dims(0).size(), false);
    begin[static_cast<size_t>(axis)] = at;
    end[static_cast<size_t>(axis)] = at + 1;
    squeeze[static_cast<size_t>(axis)] = true;
    return Finish(c, c.Op("slice_by_index", {{"x", Data(c, 0)},
                                             {"begin", ir::Ints(begin)},
                                             {"end", ir::Ints(end)},
                                             {"squeeze_mask", ir::Literal::Bools(squeeze)}}));
  }
  ANEMONE_ASSIGN(ir::Value * x, Table(c));
  // Until iOS17 gather itself counts negative indices from the end.
  const bool counts = c.Const(1) == nullptr && c.target() < ir::Opset::kIOS17;
  ANEMONE_ASSIGN(ir::Value * indices, counts ? c.Value(1) : Indices(c, 1, size));
  return Finish(c, c.Op("gather", {{"x", x}, {"indices", indices}, {"axis", Axis(axis)}}));
}

Status EmitGatherElements(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 0), c.Rank(0)));
  // MIL requires the other dims to be equal; ONNX allows smaller indices.
  for (size_t d = 0; d < c.Dims(0).size() && d < c.Dims(1).size(); ++d) {
    if (static_cast<int64_t>(d) != axis && c.Sizes(0)[d] != c.Sizes(1)[d]) {
      return Unsupported("indices smaller than the data beside the axis").Advise("slice the data");
    }
  }
  ir::Value* x = Data(c, 0);
  ANEMONE_ASSIGN(ir::Value * indices, Indices(c, 1, c.Sizes(0)[static_cast<size_t>(axis)]));
  return Finish(c,
                c.Op("gather_along_axis", {{"x", x}, {"indices", indices}, {"axis", Axis(axis)}}));
}

// Input 1 as coordinates [..., depth] into the dims of input 0 from `batch_dims` on, with negative ones
// counted from the end, which neither gather_nd nor scatter_nd does.
Result<ir::Value*> Coordinates(NodeContext& c, int64_t batch_dims) {
  if (c.Rank(1) < 1) return InvalidInput("the indices are a scalar");
  const int64_t depth = c.FixedSize(c.In(1), c.Sizes(1).size() - 1);
  ANEMONE_TRY(c.status());
  if (batch_dims < 0 || depth < 1 || depth > c.Rank(0) - batch_dims)
    return InvalidInput("indices of {} numbers into {} dimensions", depth, c.Rank(0) - batch_dims);
  const auto first = c.Sizes(0).begin() + batch_dims;
  const std::vector<int64_t> sizes(first, first + depth);
  if (const auto* constant = c.Const(1); constant != nullptr && !Symbols::AnySymbol(sizes)) {
    auto values = constant->AsInts();
    if (!values) return InvalidInput("the indices are not integers");
    for (size_t i = 0; i < values->size(); ++i) {
      int64_t& value = (*values)[i];
      const int64_t size = sizes[i % sizes.size()];
      if (value < 0) value += size;
      if (value < 0 || value >= size)
        return InvalidInput("an index is outside the dim of {}", size);
    }
    return c.MakeConst(onnx::Constant::Int64s(std::move(*values), constant->dims), "indices");
  }
  ir::Value* indices = c.Value(1);
  if (ArePositions(indices)) return indices;
  ir::Value* negative = c.Binary("less", {indices, c.MakeConst(ir::Literal::Int32(0), "zero")});
  ir::Value* wrapped = c.Binary("add", {indices, c.SizesValue(sizes, "sizes")});
  return c.Op("select", {{"cond", negative}, {"a", wrapped}, {"b", indices}});
}

Status EmitGatherNd(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  const int64_t batch_dims = c.Int("batch_dims", 0);
  ANEMONE_ASSIGN(ir::Value * indices, Coordinates(c, batch_dims));
  Args args = {{"x", Data(c, 0)}, {"indices", indices}};
  if (batch_dims != 0) {
    if (c.target() < ir::Opset::kIOS16) {
      return Unsupported("batch_dims before iOS16").Advise("raise the deployment target to iOS16");
    }
    args.push_back({"batch_dims", Axis(batch_dims)});
  }
  return Finish(c, c.Op("gather_nd", std::move(args)));
}

Result<std::string> Mode(const NodeContext& c) {
  const std::string reduction = c.String("reduction", "none");
  if (reduction == "none") return std::string("update");
  if (reduction == "add" || reduction == "mul" || reduction == "min" || reduction == "max") {
    return reduction;
  }
  return InvalidInput("reduction is '{}'", reduction);
}

Status EmitScatterElements(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 0), c.Rank(0)));
  ANEMONE_ASSIGN(const std::string mode, Mode(c));
  for (size_t d = 0; d < c.Dims(0).size() && d < c.Dims(1).size(); ++d) {
    if (static_cast<int64_t>(d) != axis && c.Sizes(0)[d] != c.Sizes(1)[d]) {
      return Unsupported("indices smaller than the data beside the axis").Advise("use ScatterND");
    }
  }
  ir::Value* data = Data(c, 0);
  ANEMONE_ASSIGN(ir::Value * indices, Indices(c, 1, c.Sizes(0)[static_cast<size_t>(axis)]));
  return Finish(c, c.Op("scatter_along_axis", {{"data", data},
                                               {"indices", indices},
                                               {"updates", Data(c, 2)},
                                               {"axis", Axis(axis)},
                                               {"mode", ir::Literal::String(mode)}}));
}

Status EmitScatterNd(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  ANEMONE_ASSIGN(const std::string mode, Mode(c));
  ANEMONE_ASSIGN(ir::Value * indices, Coordinates(c, 0));
  return Finish(c, c.Op("scatter_nd", {{"data", Data(c, 0)},
                                       {"indices", indices},
                                       {"updates", Data(c, 2)},
                                       {"mode", ir::Literal::String(mode)}}));
}

constexpr Converter kConverters[] = {
    {.op = "GatherBlockQuantized", .emit = EmitGatherBlockQuantized, .domain = "com.microsoft"},
    {.op = "Gather", .emit = EmitGather},
    {.op = "GatherElements", .emit = EmitGatherElements},
    {.op = "GatherND", .emit = EmitGatherNd},
    {.op = "Scatter", .emit = EmitScatterElements},
    {.op = "ScatterElements", .emit = EmitScatterElements},
    {.op = "ScatterND", .emit = EmitScatterNd},
    {.op = "NegativeLogLikelihoodLoss", .emit = EmitNegativeLogLikelihood},
    {.op = "SoftmaxCrossEntropyLoss", .emit = EmitSoftmaxCrossEntropy},
    {.op = "TensorScatter", .emit = EmitTensorScatter},
    {.op = "Col2Im", .emit = EmitCol2Im},
    {.op = "MaxUnpool", .emit = EmitMaxUnpool},
    {.op = "Compress", .emit = EmitCompress},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::gather_scatter
