// ONNX: normalizations.
#include <limits>
#include <numeric>

#include "onnx/converter.h"
#include "ops/infer.h"
#include "ops/normalization/runtime_onnx.h"

namespace anemone::ops::normalization {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

ir::Literal Number(double value) { return ir::Literal::Fp32(static_cast<float>(value)); }

ir::Value* Reduce(NodeContext& c, std::string_view type, ir::Value* x,
                  const std::vector<int64_t>& axes) {
  return c.Op(type, {{"x", x}, {"axes", ir::Ints(axes)}, {"keep_dims", ir::Literal::Bool(true)}});
}

Status CheckParameters(const NodeContext& c, std::initializer_list<size_t> inputs) {
  for (const size_t i : inputs) {
    if (!c.Has(i)) return InvalidInput("input {} is missing", i);
  }
  return {};
}

// [C] seen along dimension 1 of a tensor of `rank`.
ir::Shape AlongChannels(int64_t channels, int64_t rank) {
  ir::Shape dims(static_cast<size_t>(rank), 1);
  dims[1] = channels;
  return dims;
}

Status EmitBatchNorm(NodeContext& c) {
  ANEMONE_TRY(CheckParameters(c, {0, 1, 2, 3, 4}));
  if (c.Int("training_mode", 0) != 0) {
    return Unsupported("training mode").Advise("export the model in evaluation mode");
  }
  if (c.opset() < 9 && c.Int("spatial", 1) == 0) return Unsupported("spatial = 0");
  const int64_t rank = c.Rank(0);
  if (rank < 2) return InvalidInput("the input needs rank 2 or more");
  const double epsilon = c.Float("epsilon", 1e-5f);
  bool constant = true;
  for (size_t i = 1; i < 5; ++i) constant = constant && c.Const(i) != nullptr;
  if (constant && rank >= 3) {
    return c.Emit("batch_norm", {{"x", c.Value(0)},
                                 {"mean", c.Value(3)},
                                 {"variance", c.Value(4)},
                                 {"gamma", c.Value(1)},
                                 {"beta", c.Value(2)},
                                 {"epsilon", Number(epsilon)}});
  }
  // (x - mean) / sqrt(variance + epsilon) * gamma + beta
  const ir::Shape dims = AlongChannels(c.Dims(0)[1], rank);
  ir::Value* scale = c.Op("rsqrt", {{"x", c.Value(4)}, {"epsilon", Number(epsilon)}});
  scale = c.Binary("mul", {scale, c.Value(1)});
  if (constant) {
    // x * scale + (beta - mean * scale), of which the numbers are known.
    ir::Value* shift = c.Binary("sub", {c.Value(2), c.Binary("mul", {c.Value(3), scale})});
    ir::Value* scaled = c.Binary("mul", {c.Value(0), c.Reshape(scale, dims)});
    return c.Emit("add", {{"x", scaled}, {"y", c.Reshape(shift, dims)}});
  }
  ir::Value* centered = c.Binary("sub", {c.Value(0), c.Reshape(c.Value(3), dims)});
  scale = c.Reshape(scale, dims);
  return c.Emit("add",
                {{"x", c.Binary("mul", {centered, scale})}, {"y", c.Reshape(c.Value(2), dims)}});
}

// (x - mean) / sqrt(variance + epsilon) over `axes`.
ir::Value* Standardize(NodeContext& c, ir::Value* x, const std::vector<int64_t>& axes,
                       double epsilon) {
  ir::Value* centered = c.Binary("sub", {x, Reduce(c, "reduce_mean", x, axes)});
  ir::Value* square = c.Op("square", {{"x", centered}});
  ir::Value* scale =
      c.Op("rsqrt", {{"x", Reduce(c, "reduce_mean", square, axes)}, {"epsilon", Number(epsilon)}});
  return c.Binary("mul", {centered, scale});
}

Status EmitInstanceNorm(NodeContext& c) {
  ANEMONE_TRY(CheckParameters(c, {0, 1, 2}));
  const int64_t rank = c.Rank(0);
  if (rank < 3) return InvalidInput("the input needs rank 3 or more");
  const double epsilon = c.Float("epsilon", 1e-5f);
  if (rank <= 4 && c.Const(1) != nullptr && c.Const(2) != nullptr) {
    return c.Emit("instance_norm", {{"x", c.Value(0)},
                                    {"gamma", c.Value(1)},
                                    {"beta", c.Value(2)},
                                    {"epsilon", Number(epsilon)}});
  }
  std::vector<int64_t> axes(static_cast<size_t>(rank - 2));
  std::iota(axes.begin(), axes.end(), 2);
  const ir::Shape dims = AlongChannels(c.Dims(0)[1], rank);
  ir::Value* y = Standardize(c, c.Value(0), axes, epsilon);
  y = c.Binary("mul", {y, c.Reshape(c.Value(1), dims)});
  return c.Emit("add", {{"x", y}, {"y", c.Reshape(c.Value(2), dims)}});
}

// LayerNormalization that also returns the mean and the inverse of the deviation.
Status EmitWithMoments(NodeContext& c, const std::vector<int64_t>& axes) {
  ir::Value* x = c.Value(0);
  ir::Value* mean = Reduce(c, "reduce_mean", x, axes);
  ir::Value* centered = c.Binary("sub", {x, mean});
  ir::Value* variance = Reduce(c, "reduce_mean", c.Op("square", {{"x", centered}}), axes);
  ir::Value* inverse =
      c.Op("rsqrt", {{"x", variance}, {"epsilon", Number(c.Float("epsilon", 1e-5f))}});
  ir::Value* y = c.Binary("mul", {centered, inverse});
  if (c.Has(1)) y = c.Binary("mul", {y, c.Value(1)});
  if (c.Has(2)) y = c.Binary("add", {y, c.Value(2)});
  ANEMONE_TRY(c.Set(0, y));
  if (c.Wants(1)) ANEMONE_TRY(c.Set(1, mean));
  if (c.Wants(2)) ANEMONE_TRY(c.Set(2, inverse));
  return {};
}

Status EmitLayerNorm(NodeContext& c) {
  ANEMONE_TRY(CheckParameters(c, {0}));
  const int64_t rank = c.Rank(0);
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", -1), rank));
  std::vector<int64_t> axes(static_cast<size_t>(rank - axis));
  std::iota(axes.begin(), axes.end(), axis);
  const ir::Shape shape(c.Sizes(0).begin() + axis, c.Sizes(0).end());
  if (c.Wants(1) || c.Wants(2)) return EmitWithMoments(c, axes);
  const auto fits = [&](size_t i) {
    return !c.Has(i) || (c.Const(i) != nullptr && c.Sizes(i) == shape);
  };
  Args args = {
      {"x", c.Value(0)}, {"axes", ir::Ints(axes)}, {"epsilon", Number(c.Float("epsilon", 1e-5f))}};
  if (fits(1) && fits(2)) {
    args.push_back({"gamma", c.Value(1)});
    args.push_back({"beta", c.Value(2)});
    return c.Emit("layer_norm", std::move(args));
  }
  ir::Value* y = c.Op("layer_norm", std::move(args));
  if (c.Has(1)) y = c.Binary("mul", {y, c.Value(1)});
  if (c.Has(2)) y = c.Binary("add", {y, c.Value(2)});
  return c.Set(0, y);
}

Status EmitGroupNorm(NodeContext& c) {
  ANEMONE_TRY(CheckParameters(c, {0, 1, 2}));
  const ir::Shape& dims = c.Sizes(0);
  const int64_t groups = c.Int("num_groups", 0);
  if (dims.size() < 3 || groups < 1 || c.Dims(0)[1] % groups != 0) {
    return InvalidInput("{} groups do not divide the channels of {}", groups,
                        ir::ShapeToString(dims));
  }
  int64_t rest = dims[1] / groups;
  for (size_t d = 2; d < dims.size(); ++d) rest = c.MulSizes(rest, dims[d]);
  ir::Value* y = c.Op("layer_norm", {{"x", c.Reshape(c.Value(0), {dims[0], groups, rest})},
                                     {"axes", ir::Ints({2})},
                                     {"epsilon", Number(c.Float("epsilon", 1e-5f))}});
  // One scale for each group until opset 20, one for each channel since then.
  const bool by_group = c.Dims(1) == ir::Shape{groups} && groups != dims[1];
  const ir::Shape along = by_group ? ir::Shape{1, groups, 1} : AlongChannels(dims[1], c.Rank(0));
  if (!by_group) y = c.Reshape(y, dims);
  y = c.Binary("mul", {y, c.Reshape(c.Value(1), along)});
  y = c.Binary("add", {y, c.Reshape(c.Value(2), along)});
  return c.SetView(0, y, dims);
}

Status EmitRmsNorm(NodeContext& c) {
  ANEMONE_TRY(CheckParameters(c, {0, 1}));
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", -1), c.Rank(0)));
  std::vector<int64_t> axes(static_cast<size_t>(c.Rank(0) - axis));
  std::iota(axes.begin(), axes.end(), axis);
  ir::Value* x = c.Value(0);
  ir::Value* mean = Reduce(c, "reduce_mean", c.Op("square", {{"x", x}}), axes);
  ir::Value* scale = c.Op("rsqrt", {{"x", mean}, {"epsilon", Number(c.Float("epsilon", 1e-5f))}});
  return c.Emit("mul", {{"x", c.Binary("mul", {x, scale})}, {"y", c.Value(1)}});
}

Status EmitLpNorm(NodeContext& c) {
  ANEMONE_TRY(CheckParameters(c, {0}));
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", -1), c.Rank(0)));
  const int64_t p = c.Int("p", 2);
  if (p != 1 && p != 2) return InvalidInput("p is {}, but must be 1 or 2", p);
  ir::Value* norm = Reduce(c, p == 1 ? "reduce_l1_norm" : "reduce_l2_norm", c.Value(0), {axis});
  // A row of zeros stays a row of zeros.
  norm = c.Binary("maximum", {norm, c.Float32(std::numeric_limits<float>::min())});
  return c.Emit("real_div", {{"x", c.Value(0)}, {"y", norm}});
}

Status EmitMeanVariance(NodeContext& c) {
  ANEMONE_TRY(CheckParameters(c, {0}));
  auto axes = c.IntsAttribute("axes").value_or(std::vector<int64_t>{0, 2, 3});
  ANEMONE_ASSIGN(axes, NormalizeAxes(axes, c.Rank(0)));
  return c.Set(0, Standardize(c, c.Value(0), axes, 1e-9));
}

Status EmitLrn(NodeContext& c) {
  ANEMONE_TRY(CheckParameters(c, {0}));
  const int64_t size = c.Int("size", 0);
  if (size < 1 || size > INT32_MAX) return InvalidInput("size is {}", size);
  return c.Emit("local_response_norm", {{"x", c.Value(0)},
                                        {"size", ir::Literal::Int32(static_cast<int32_t>(size))},
                                        {"alpha", Number(c.Float("alpha", 1e-4f))},
                                        {"beta", Number(c.Float("beta", 0.75f))},
                                        {"k", Number(c.Float("bias", 1.0f))}});
}

constexpr std::string_view kRuntime = "com.microsoft";

constexpr Converter kConverters[] = {
    {.op = "BatchNormalization", .emit = EmitBatchNorm},
    {.op = "InstanceNormalization", .emit = EmitInstanceNorm},
    {.op = "LayerNormalization", .emit = EmitLayerNorm},
    {.op = "GroupNormalization", .emit = EmitGroupNorm},
    {.op = "RMSNormalization", .emit = EmitRmsNorm},
    {.op = "SimplifiedLayerNormalization", .emit = EmitSimplifiedLayerNorm},
    {.op = "SimplifiedLayerNormalization", .emit = EmitSimplifiedLayerNorm, .domain = kRuntime},
    {.op = "SkipLayerNormalization", .emit = EmitSkipLayerNorm, .domain = kRuntime},
    {.op = "SkipSimplifiedLayerNormalization", .emit = EmitSkipRmsNorm, .domain = kRuntime},
    {.op = "EmbedLayerNormalization", .emit = EmitEmbedLayerNorm, .domain = kRuntime},
    {.op = "QEmbedLayerNormalization", .emit = EmitEmbedLayerNorm, .domain = kRuntime},
    {.op = "LpNormalization", .emit = EmitLpNorm},
    {.op = "MeanVarianceNormalization", .emit = EmitMeanVariance},
    {.op = "LRN", .emit = EmitLrn},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::normalization
