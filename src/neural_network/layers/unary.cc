// unary and the functions of one input that are layers of their own.
#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"
#include "neural_network/operator_name.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

// A layer that is an operator of one input.
template <OperatorName kType>
Status EmitSame(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  return c.SetLike(0, c.Op(kType.text, {{"x", c.Carried(0)}}), 0);
}

// exp(x) and exp(-x) in the combination of an inverse hyperbolic function:
// asinh(x) = sign(x) * log(|x| + sqrt(x * x + 1)), without cancellation for negative x.
Status EmitAsinh(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ir::Value* x = c.Carried(0);
  ir::Value* size = c.Op("abs", {{"x", x}});
  ir::Value* root = c.Op("sqrt", {{"x", c.Binary("add", c.Op("square", {{"x", x}}), c.Float(1))}});
  ir::Value* log =
      c.Op("log", {{"x", c.Binary("add", size, root)}, {"epsilon", ir::Literal::Fp32(0)}});
  return c.SetLike(0, c.Binary("mul", c.Op("sign", {{"x", x}}), log), 0);
}

// acosh(x) = log(x + sqrt(x * x - 1)).
Status EmitAcosh(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ir::Value* x = c.Carried(0);
  ir::Value* root = c.Op("sqrt", {{"x", c.Binary("sub", c.Op("square", {{"x", x}}), c.Float(1))}});
  ir::Value* log =
      c.Op("log", {{"x", c.Binary("add", x, root)}, {"epsilon", ir::Literal::Fp32(0)}});
  return c.SetLike(0, log, 0);
}

Status EmitLogicalNot(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ir::Value* x = c.Cast(c.In(0).value, DType::kBool);
  return c.SetLike(0, c.Op("logical_not", {{"x", x}}), 0);
}

Status EmitClip(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const nn::ClipLayerParams& params = c.layer().clip();
  if (!(params.minval() <= params.maxval())) {
    return InvalidInput("the range {} to {} is empty", params.minval(), params.maxval());
  }
  return c.SetLike(0,
                   c.Op("clip", {{"x", c.Carried(0)},
                                 {"alpha", ir::Literal::Fp32(params.minval())},
                                 {"beta", ir::Literal::Fp32(params.maxval())}}),
                   0);
}

Status EmitUnary(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const nn::UnaryFunctionLayerParams& params = c.layer().unary();
  ir::Value* x = c.Carried(0);
  // A scale or epsilon that is missing has the format's default.
  const float scale = params.scale() == 0 ? 1 : params.scale();
  const float epsilon = params.epsilon() == 0 ? 1e-6f : params.epsilon();
  if (scale != 1) x = c.Binary("mul", x, c.Float(scale));
  if (params.shift() != 0) x = c.Binary("add", x, c.Float(params.shift()));
  const auto with_epsilon = [&](std::string_view type) {
    return c.Op(type, {{"x", x}, {"epsilon", ir::Literal::Fp32(epsilon)}});
  };
  ir::Value* y = nullptr;
  switch (params.type()) {
    case nn::UnaryFunctionLayerParams::SQRT:
      y = c.Op("sqrt", {{"x", x}});
      break;
    case nn::UnaryFunctionLayerParams::RSQRT:
      y = with_epsilon("rsqrt");
      break;
    case nn::UnaryFunctionLayerParams::INVERSE:
      y = with_epsilon("inverse");
      break;
    case nn::UnaryFunctionLayerParams::POWER:
      y = c.Binary("pow", x, c.Float(params.alpha()));
      break;
    case nn::UnaryFunctionLayerParams::EXP:
      y = c.Op("exp", {{"x", x}});
      break;
    case nn::UnaryFunctionLayerParams::LOG:
      y = with_epsilon("log");
      break;
    case nn::UnaryFunctionLayerParams::ABS:
      y = c.Op("abs", {{"x", x}});
      break;
    case nn::UnaryFunctionLayerParams::THRESHOLD:
      y = c.Op("threshold", {{"x", x}, {"alpha", ir::Literal::Fp32(params.alpha())}});
      break;
    default:
      return InvalidInput("function {} is unknown", static_cast<int>(params.type()));
  }
  return c.SetLike(0, y, 0);
}

constexpr LayerRow kUnaryRows[] = {
    {Layer::kUnary, "unary", EmitUnary, "sqrt, rsqrt, inverse, pow, exp, log, abs, threshold"},
    {Layer::kClip, "clip", EmitClip, "clip"},
    {Layer::kCeil, "ceil", EmitSame<"ceil">, "ceil"},
    {Layer::kFloor, "floor", EmitSame<"floor">, "floor"},
    {Layer::kSign, "sign", EmitSame<"sign">, "sign"},
    {Layer::kRound, "round", EmitSame<"round">, "round"},
    {Layer::kExp2, "exp2", EmitSame<"exp2">, "exp2"},
    {Layer::kSin, "sin", EmitSame<"sin">, "sin"},
    {Layer::kCos, "cos", EmitSame<"cos">, "cos"},
    {Layer::kTan, "tan", EmitSame<"tan">, "tan"},
    {Layer::kAsin, "asin", EmitSame<"asin">, "asin"},
    {Layer::kAcos, "acos", EmitSame<"acos">, "acos"},
    {Layer::kAtan, "atan", EmitSame<"atan">, "atan"},
    {Layer::kSinh, "sinh", EmitSame<"sinh">, "sinh"},
    {Layer::kCosh, "cosh", EmitSame<"cosh">, "cosh"},
    {Layer::kTanh, "tanh", EmitSame<"tanh">, "tanh"},
    {Layer::kAsinh, "asinh", EmitAsinh, "abs, square, sqrt, log, sign"},
    {Layer::kAcosh, "acosh", EmitAcosh, "square, sqrt, log"},
    {Layer::kAtanh, "atanh", EmitSame<"atanh">, "atanh"},
    {Layer::kErf, "erf", EmitSame<"erf">, "erf"},
    {Layer::kLogicalNot, "logicalNot", EmitLogicalNot, "logical_not"},
};

}  // namespace

std::span<const LayerRow> UnaryLayers() { return kUnaryRows; }

}  // namespace anemone::neural_network
