// ONNX: activations and softmax.
#include "onnx/converter.h"
#include "ops/infer.h"

namespace anemone::ops::activation {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

Status CheckOne(const NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("{} has no input", c.node().op);
  return {};
}

ir::Literal Number(double value) { return ir::Literal::Fp32(static_cast<float>(value)); }

Status EmitPlain(NodeContext& c, std::string_view type) {
  ANEMONE_TRY(CheckOne(c));
  return c.Emit(type, {{"x", c.Value(0)}});
}
Status EmitSigmoid(NodeContext& c) { return EmitPlain(c, "sigmoid"); }
Status EmitSoftplus(NodeContext& c) { return EmitPlain(c, "softplus"); }
Status EmitSoftsign(NodeContext& c) { return EmitPlain(c, "softsign"); }

Status EmitRelu(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  if (c.IsFloat(0)) return EmitPlain(c, "relu");
  return c.Emit("maximum", {{"x", c.Value(0)}, {"y", c.MakeConst(ir::Literal::Int32(0), "zero")}});
}

Status EmitAlpha(NodeContext& c, std::string_view type, double fallback) {
  ANEMONE_TRY(CheckOne(c));
  return c.Emit(type, {{"x", c.Value(0)}, {"alpha", Number(c.Float("alpha", fallback))}});
}
Status EmitElu(NodeContext& c) { return EmitAlpha(c, "elu", 1); }
Status EmitLeakyRelu(NodeContext& c) { return EmitAlpha(c, "leaky_relu", 0.01f); }

// MIL's thresholded_relu keeps x = alpha; ONNX's does not.
Status EmitThresholdedRelu(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* x = c.Value(0);
  ir::Value* above = c.Binary("greater", {x, c.Float32(static_cast<float>(c.Float("alpha", 1)))});
  return c.Emit("select", {{"cond", above}, {"a", x}, {"b", c.Float32(0)}});
}

// x - bias above lambd, x + bias below -lambd, 0 between.
Status EmitShrink(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  if (!c.IsFloat(0)) return Unsupported("Shrink of integers").Advise("cast to float before it");
  const auto bias = static_cast<float>(c.Float("bias", 0));
  const auto lambd = static_cast<float>(c.Float("lambd", 0.5));
  ir::Value* x = c.Value(0);
  ir::Value* below = c.Binary("less", {x, c.Float32(-lambd)});
  ir::Value* low =
      c.Op("select",
           {{"cond", below}, {"a", c.Binary("add", {x, c.Float32(bias)})}, {"b", c.Float32(0)}});
  ir::Value* above = c.Binary("greater", {x, c.Float32(lambd)});
  return c.Emit("select",
                {{"cond", above}, {"a", c.Binary("sub", {x, c.Float32(bias)})}, {"b", low}});
}

// gamma * (x above 0, alpha * (exp(x) - 1) below).
Status EmitSelu(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* elu = c.Op(
      "elu", {{"x", c.Value(0)}, {"alpha", Number(c.Float("alpha", 1.67326319217681884765625))}});
  const double gamma = c.Float("gamma", 1.05070102214813232421875);
  return c.Emit("mul", {{"x", elu}, {"y", c.Float32(static_cast<float>(gamma))}});
}

// celu(x, a) = a * elu(x / a, 1).
Status EmitCelu(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  const auto alpha = static_cast<float>(c.Float("alpha", 1));
  ir::Value* scaled = c.Binary("real_div", {c.Value(0), c.Float32(alpha)});
  ir::Value* elu = c.Op("elu", {{"x", scaled}, {"alpha", Number(1)}});
  return c.Emit("mul", {{"x", elu}, {"y", c.Float32(alpha)}});
}

Status EmitHardSigmoid(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  return c.Emit("sigmoid_hard", {{"x", c.Value(0)},
                                 {"alpha", Number(c.Float("alpha", 0.2f))},
                                 {"beta", Number(c.Float("beta", 0.5f))}});
}

Status EmitHardSwish(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* x = c.Value(0);
  ir::Value* gate =
      c.Op("sigmoid_hard", {{"x", x}, {"alpha", Number(1.0f / 6.0f)}, {"beta", Number(0.5f)}});
  return c.Emit("mul", {{"x", x}, {"y", gate}});
}

Status EmitMish(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* x = c.Value(0);
  ir::Value* gate = c.Op("tanh", {{"x", c.Op("softplus", {{"x", x}})}});
  return c.Emit("mul", {{"x", x}, {"y", gate}});
}

Status EmitSwish(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  const double alpha = c.Float("alpha", 1);
  ir::Value* x = c.Value(0);
  if (alpha == 1) return c.Emit("silu", {{"x", x}});
  ir::Value* gate =
      c.Op("sigmoid", {{"x", c.Binary("mul", {x, c.Float32(static_cast<float>(alpha))})}});
  return c.Emit("mul", {{"x", x}, {"y", gate}});
}

Status EmitGelu(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  const bool tanh = c.String("approximate", "none") == "tanh";
  return c.Emit("gelu", {{"x", c.Value(0)},
                         {"mode", ir::Literal::String(tanh ? "TANH_APPROXIMATION" : "EXACT")}});
}

// ONNX Runtime's: of x plus a bias; FastGelu is the approximation by tanh.
Status EmitBiasGelu(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* x = c.Value(0);
  if (c.Has(1)) x = c.Binary("add", {x, c.Value(1)});
  const bool tanh = c.node().op == "FastGelu";
  return c.Emit("gelu",
                {{"x", x}, {"mode", ir::Literal::String(tanh ? "TANH_APPROXIMATION" : "EXACT")}});
}

// ONNX Runtime's x * sigmoid(alpha * x).
Status EmitQuickGelu(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* x = c.Value(0);
  ir::Value* scaled = c.Binary("mul", {x, c.Float32(static_cast<float>(c.Float("alpha", 1.702)))});
  return c.Emit("mul", {{"x", x}, {"y", c.Op("sigmoid", {{"x", scaled}})}});
}

Status EmitPRelu(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("PRelu needs an input and a slope");
  const auto* slope = c.Const(1);
  const auto& dims = c.Dims(0);
  if (slope != nullptr && dims.size() >= 3 && dims.size() <= 5) {
    // One slope, or one for each channel: all dims but the channel's are 1.
    ir::Shape aligned(dims.size() - std::min(dims.size(), slope->dims.size()), 1);
    aligned.insert(aligned.end(), slope->dims.begin(), slope->dims.end());
    const bool one = slope->count() == 1 && FoldableCount({dims[1]});
    if (one ||
        (aligned.size() == dims.size() && aligned[1] == dims[1] && slope->count() == dims[1])) {
      auto values = slope->AsFloats();
      if (one) values.assign(static_cast<size_t>(dims[1]), values[0]);
      return c.Emit("prelu", {{"x", c.Value(0)}, {"alpha", ir::Literal::Fp32s(values, {dims[1]})}});
    }
  }
  // max(x, 0) + slope * min(x, 0)
  ir::Value* x = c.Value(0);
  ir::Value* zero = c.Float32(0);
  ir::Value* below = c.Binary("mul", {c.Value(1), c.Binary("minimum", {x, zero})});
  return c.Emit("add", {{"x", c.Binary("maximum", {x, zero})}, {"y", below}});
}

// Until opset 12, the axes from `axis` on count as one.
struct SoftmaxPlan {
  ir::Value* x;
  int64_t axis;
};
Result<SoftmaxPlan> PlanSoftmax(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  const int64_t rank = c.Rank(0);
  if (c.opset() >= 13) {
    ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", -1), rank));
    return SoftmaxPlan{c.Value(0), axis};
  }
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 1), rank));
  int64_t rows = 1, columns = 1;
  bool single = true;  // whether only one axis behind `axis` has more than one element
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t size = c.Sizes(0)[static_cast<size_t>(d)];
    int64_t& side = d < axis ? rows : columns;
    side = c.MulSizes(side, size);
    single = single && (d <= axis || size == 1);
  }
  if (single) return SoftmaxPlan{c.Value(0), axis};
  return SoftmaxPlan{c.Reshape(c.Value(0), {rows, columns}), 1};
}

Status EmitSoftmax(NodeContext& c) {
  ANEMONE_ASSIGN(const SoftmaxPlan plan, PlanSoftmax(c));
  ANEMONE_TRY(c.status());
  Args args = {{"x", plan.x}, {"axis", ir::Literal::Int32(static_cast<int32_t>(plan.axis))}};
  if (c.DimsOf(plan.x) == c.Sizes(0)) return c.Emit("softmax", std::move(args));
  return c.SetView(0, c.Op("softmax", std::move(args)), c.Sizes(0));
}

// x - log(sum(exp(x))): exact where softmax underflows.
Status EmitLogSoftmax(NodeContext& c) {
  ANEMONE_ASSIGN(const SoftmaxPlan plan, PlanSoftmax(c));
  ANEMONE_TRY(c.status());
  ir::Value* log = c.Op(
      "reduce_log_sum_exp",
      {{"x", plan.x}, {"axes", ir::Ints({plan.axis})}, {"keep_dims", ir::Literal::Bool(true)}});
  ir::Value* y = c.Binary("sub", {plan.x, log});
  return c.SetView(0, y, c.Sizes(0));
}

// 1 at the first of the largest elements, 0 elsewhere.
Status EmitHardmax(NodeContext& c) {
  ANEMONE_ASSIGN(const SoftmaxPlan plan, PlanSoftmax(c));
  ANEMONE_TRY(c.status());
  const ir::Literal axis = ir::Literal::Int32(static_cast<int32_t>(plan.axis));
  ir::Value* at = c.Op("reduce_argmax",
                       {{"x", plan.x}, {"axis", axis}, {"keep_dims", ir::Literal::Bool(false)}});
  const int64_t size = c.DimsOf(plan.x)[static_cast<size_t>(plan.axis)];
  if (Symbols::IsSymbol(size)) return Unsupported("a row of open size: {}", c.symbols().Text(size));
  ir::Value* y =
      c.Op("one_hot", {{"indices", at},
                       {"one_hot_vector_size", ir::Literal::Int32(static_cast<int32_t>(size))},
                       {"axis", axis},
                       {"on_value", Number(1)},
                       {"off_value", Number(0)}});
  return c.SetView(0, y, c.Dims(0));
}

// swish(a) * b.
Status EmitSwiGlu(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("SwiGLU needs two inputs");
  ir::Value* a = c.Value(0);
  const auto alpha = static_cast<float>(c.Float("alpha", 1));
  ir::Value* gate = alpha == 1 ? a : c.Binary("mul", {a, c.Float32(alpha)});
  ir::Value* swish = c.Binary("mul", {a, c.Op("sigmoid", {{"x", gate}})});
  return c.Emit("mul", {{"x", swish}, {"y", c.Value(1)}});
}

constexpr std::string_view kRuntime = "com.microsoft";

constexpr Converter kConverters[] = {
    {.op = "Relu", .emit = EmitRelu},
    {.op = "LeakyRelu", .emit = EmitLeakyRelu},
    {.op = "PRelu", .emit = EmitPRelu},
    {.op = "Elu", .emit = EmitElu},
    {.op = "Selu", .emit = EmitSelu},
    {.op = "Celu", .emit = EmitCelu},
    {.op = "ThresholdedRelu", .emit = EmitThresholdedRelu},
    {.op = "Sigmoid", .emit = EmitSigmoid},
    {.op = "HardSigmoid", .emit = EmitHardSigmoid},
    {.op = "HardSwish", .emit = EmitHardSwish},
    {.op = "Softplus", .emit = EmitSoftplus},
    {.op = "Softsign", .emit = EmitSoftsign},
    {.op = "Mish", .emit = EmitMish},
    {.op = "Swish", .emit = EmitSwish},
    {.op = "Gelu", .emit = EmitGelu},
    {.op = "Gelu", .emit = EmitGelu, .domain = kRuntime},
    {.op = "BiasGelu", .emit = EmitBiasGelu, .domain = kRuntime},
    {.op = "FastGelu", .emit = EmitBiasGelu, .domain = kRuntime},
    {.op = "QuickGelu", .emit = EmitQuickGelu, .domain = kRuntime},
    {.op = "Softmax", .emit = EmitSoftmax},
    {.op = "LogSoftmax", .emit = EmitLogSoftmax},
    {.op = "Hardmax", .emit = EmitHardmax},
    {.op = "SwiGLU", .emit = EmitSwiGlu},
    {.op = "Shrink", .emit = EmitShrink},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::activation
