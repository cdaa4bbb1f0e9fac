// Layers of two or more inputs, element by element: those of [sequence, batch, channel, height,
// width] and the broadcasting ones; scale and bias; comparisons and logic.
#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"
#include "neural_network/operator_name.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

// The dimensions of `value`, behind those in `lead`.
Status SetBroadcast(LayerContext& c, ir::Value* value, const ir::Shape& lead) {
  ANEMONE_TRY(c.status());
  if (!value->type.has_rank()) return c.Set(0, value);
  ir::Shape dims = lead;
  dims.insert(dims.end(), value->type.shape().begin(), value->type.shape().end());
  return c.SetView(0, value, std::move(dims));
}

// All inputs, one after the other.
ir::Value* Fold(LayerContext& c, std::string_view type, const std::vector<ir::Value*>& values) {
  ir::Value* result = values.front();
  for (size_t i = 1; i < values.size(); ++i) result = c.Binary(type, result, values[i]);
  return result;
}

template <OperatorName kType>
Status EmitFold(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, SIZE_MAX));
  ir::Shape lead;
  const auto values = c.Aligned(&lead);
  return SetBroadcast(c, Fold(c, kType.text, values), lead);
}

// One input and a number, or several inputs.
Status EmitWithAlpha(LayerContext& c, std::string_view type, float alpha) {
  ANEMONE_TRY(c.CheckCounts(1, SIZE_MAX));
  if (c.InputCount() == 1) return c.SetLike(0, c.Binary(type, c.Carried(0), c.Float(alpha)), 0);
  ir::Shape lead;
  const auto values = c.Aligned(&lead);
  return SetBroadcast(c, Fold(c, type, values), lead);
}

Status EmitAdd(LayerContext& c) { return EmitWithAlpha(c, "add", c.layer().add().alpha()); }
Status EmitMultiply(LayerContext& c) {
  return EmitWithAlpha(c, "mul", c.layer().multiply().alpha());
}

Status EmitAverage(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, SIZE_MAX));
  ir::Shape lead;
  const auto values = c.Aligned(&lead);
  ir::Value* sum = Fold(c, "add", values);
  const auto count = static_cast<float>(values.size());
  return SetBroadcast(c, c.Binary("real_div", sum, c.Float(count)), lead);
}

// The product over channels, or the cosine of the angle between them.
Status EmitDot(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  ANEMONE_TRY(c.CheckRank(0, 3));
  ANEMONE_TRY(c.CheckRank(1, 3));
  ir::Value *x = c.Nchw(0), *y = c.Nchw(1);
  const auto over_channels = [&](std::string_view type, ir::Value* value) {
    return c.Op(type,
                {{"x", value}, {"axes", ir::Ints({1})}, {"keep_dims", ir::Literal::Bool(true)}});
  };
  ir::Value* dot = over_channels("reduce_sum", c.Binary("mul", x, y));
  if (c.layer().dot().cosinesimilarity()) {
    ir::Value* sizes =
        c.Binary("mul", over_channels("reduce_l2_norm", x), over_channels("reduce_l2_norm", y));
    dot = c.Binary("real_div", dot, sizes);
  }
  return c.SetNchw(0, dot, 0);
}

// A parameter of shape [1], [C], [1, H, W] or [C, H, W], to broadcast against [N, C, H, W].
ir::Value* Parameter(LayerContext& c, const nn::WeightParams& params,
                     const google::protobuf::RepeatedField<uint64_t>& given,
                     std::string_view what) {
  auto sizes = CheckedSizes(given, what);
  if (!sizes.ok()) return c.Fail(std::move(sizes).status());
  ir::Shape shape = *sizes;
  if (shape.empty()) shape = {1};
  if (shape.size() == 1) shape.insert(shape.end(), {1, 1});
  if (shape.size() != 3) {
    return c.Fail(InvalidInput("{} has {} dimensions, not 1 or 3", what, shape.size()));
  }
  return c.Weights(params, shape, what);
}

Status EmitScale(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::ScaleLayerParams& params = c.layer().scale();
  ir::Value* scale = Parameter(c, params.scale(), params.shapescale(), "scale");
  ir::Value* y = c.Binary("mul", c.Nchw(0), scale);
  if (params.hasbias()) {
    y = c.Binary("add", y, Parameter(c, params.bias(), params.shapebias(), "bias"));
  }
  return c.SetNchw(0, y, 0);
}

Status EmitBias(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::BiasLayerParams& params = c.layer().bias();
  ir::Value* bias = Parameter(c, params.bias(), params.shape(), "bias");
  return c.SetNchw(0, c.Binary("add", c.Nchw(0), bias), 0);
}

template <OperatorName kType>
Status EmitBroadcast(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  ir::Shape lead;
  const auto values = c.Aligned(&lead);
  return SetBroadcast(c, c.Binary(kType.text, values[0], values[1]), lead);
}

// Sums and products of shapes stay integers, so that inference can follow them.
template <OperatorName kType>
Status EmitArithmetic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  if (!c.IsInt(0) || !c.IsInt(1)) return EmitBroadcast<kType>(c);
  return c.Set(0, c.Binary(kType.text, c.Int(0), c.Int(1)));
}

// Any number of inputs.
template <OperatorName kType>
Status EmitBroadcastAll(LayerContext& c) {
  return EmitFold<kType>(c);
}

Status EmitCompare(LayerContext& c, std::string_view type, float alpha) {
  ANEMONE_TRY(c.CheckCounts(1, 2));
  if (c.InputCount() == 1) return c.SetLike(0, c.Binary(type, c.Carried(0), c.Float(alpha)), 0);
  ir::Shape lead;
  const auto values = c.Aligned(&lead);
  return SetBroadcast(c, c.Binary(type, values[0], values[1]), lead);
}

Status EmitEqual(LayerContext& c) { return EmitCompare(c, "equal", c.layer().equal().alpha()); }
Status EmitNotEqual(LayerContext& c) {
  return EmitCompare(c, "not_equal", c.layer().notequal().alpha());
}
Status EmitLess(LayerContext& c) { return EmitCompare(c, "less", c.layer().lessthan().alpha()); }
Status EmitLessEqual(LayerContext& c) {
  return EmitCompare(c, "less_equal", c.layer().lessequal().alpha());
}
Status EmitGreater(LayerContext& c) {
  return EmitCompare(c, "greater", c.layer().greaterthan().alpha());
}
Status EmitGreaterEqual(LayerContext& c) {
  return EmitCompare(c, "greater_equal", c.layer().greaterequal().alpha());
}

template <OperatorName kType>
Status EmitLogical(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  return c.Set(0, c.Binary(kType.text, c.Bool(0), c.Bool(1)));
}

Status EmitWhereBroadcastable(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(3, 3));
  const bool ints = c.IsInt(1) && c.IsInt(2);
  return c.Set(0, c.Op("select", {{"cond", c.Bool(0)},
                                  {"a", ints ? c.Int(1) : c.Value(1)},
                                  {"b", ints ? c.Int(2) : c.Value(2)}}));
}

constexpr LayerRow kElementwiseRows[] = {
    {Layer::kAdd, "add", EmitAdd, "add"},
    {Layer::kMultiply, "multiply", EmitMultiply, "mul"},
    {Layer::kAverage, "average", EmitAverage, "add, real_div"},
    {Layer::kMax, "max", EmitFold<"maximum">, "maximum"},
    {Layer::kMin, "min", EmitFold<"minimum">, "minimum"},
    {Layer::kDot, "dot", EmitDot, "mul, reduce_sum, reduce_l2_norm, real_div"},
    {Layer::kScale, "scale", EmitScale, "mul, add"},
    {Layer::kBias, "bias", EmitBias, "add"},
    {Layer::kAddBroadcastable, "addBroadcastable", EmitArithmetic<"add">, "add"},
    {Layer::kSubtractBroadcastable, "subtractBroadcastable", EmitArithmetic<"sub">, "sub"},
    {Layer::kMultiplyBroadcastable, "multiplyBroadcastable", EmitArithmetic<"mul">, "mul"},
    {Layer::kDivideBroadcastable, "divideBroadcastable", EmitBroadcast<"real_div">, "real_div"},
    {Layer::kFloorDivBroadcastable, "floorDivBroadcastable", EmitArithmetic<"floor_div">,
     "floor_div"},
    {Layer::kModBroadcastable, "modBroadcastable", EmitBroadcast<"mod">, "mod"},
    {Layer::kPowBroadcastable, "powBroadcastable", EmitBroadcast<"pow">, "pow"},
    {Layer::kMaxBroadcastable, "maxBroadcastable", EmitBroadcastAll<"maximum">, "maximum"},
    {Layer::kMinBroadcastable, "minBroadcastable", EmitBroadcastAll<"minimum">, "minimum"},
    {Layer::kEqual, "equal", EmitEqual, "equal"},
    {Layer::kNotEqual, "notEqual", EmitNotEqual, "not_equal"},
    {Layer::kLessThan, "lessThan", EmitLess, "less"},
    {Layer::kLessEqual, "lessEqual", EmitLessEqual, "less_equal"},
    {Layer::kGreaterThan, "greaterThan", EmitGreater, "greater"},
    {Layer::kGreaterEqual, "greaterEqual", EmitGreaterEqual, "greater_equal"},
    {Layer::kLogicalAnd, "logicalAnd", EmitLogical<"logical_and">, "logical_and"},
    {Layer::kLogicalOr, "logicalOr", EmitLogical<"logical_or">, "logical_or"},
    {Layer::kLogicalXor, "logicalXor", EmitLogical<"logical_xor">, "logical_xor"},
    {Layer::kWhereBroadcastable, "whereBroadcastable", EmitWhereBroadcastable, "select"},
};

}  // namespace

std::span<const LayerRow> ElementwiseLayers() { return kElementwiseRows; }

}  // namespace anemone::neural_network
