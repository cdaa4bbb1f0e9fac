// activation, softmax and the activations that are layers of their own.
#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;
using Activation = nn::ActivationParams;

ir::Value* WithAlpha(LayerContext& c, std::string_view type, ir::Value* x, float alpha) {
  return c.Op(type, {{"x", x}, {"alpha", ir::Literal::Fp32(alpha)}});
}

ir::Value* WithAlphaBeta(LayerContext& c, std::string_view type, ir::Value* x, float alpha,
                         float beta) {
  return c.Op(type,
              {{"x", x}, {"alpha", ir::Literal::Fp32(alpha)}, {"beta", ir::Literal::Fp32(beta)}});
}

// One parameter for all channels, or one for each, as a vector for each.
Result<ir::Literal> PerChannel(const LayerContext& c, const nn::WeightParams& params,
                               int64_t channels) {
  auto all = c.traits().weights.Read(params, {channels});
  if (all.ok()) return all;
  ANEMONE_ASSIGN(const auto one, c.traits().weights.ReadFloats(params, {1}));
  return ir::Literal::Fp32s(std::vector<float>(static_cast<size_t>(channels), one[0]), {channels});
}

Status EmitPRelu(LayerContext& c, const nn::ActivationPReLU& params) {
  if (const auto one = c.traits().weights.ReadFloats(params.alpha(), {1}); one.ok()) {
    return c.SetLike(0, WithAlpha(c, "leaky_relu", c.Carried(0), (*one)[0]), 0);
  }
  ANEMONE_TRY(c.CheckRank(0, 3));
  ir::Value* x = c.Nchw(0);
  ANEMONE_TRY(c.status());
  ANEMONE_ASSIGN(ir::Literal alpha, PerChannel(c, params.alpha(), x->type.shape()[1]));
  return c.SetNchw(0, c.Op("prelu", {{"x", x}, {"alpha", std::move(alpha)}}), 0);
}

Status EmitParametricSoftplus(LayerContext& c, const nn::ActivationParametricSoftplus& params) {
  ANEMONE_TRY(c.CheckRank(0, 3));
  ir::Value* x = c.Nchw(0);
  ANEMONE_TRY(c.status());
  const int64_t channels = x->type.shape()[1];
  ANEMONE_ASSIGN(ir::Literal alpha, PerChannel(c, params.alpha(), channels));
  ANEMONE_ASSIGN(ir::Literal beta, PerChannel(c, params.beta(), channels));
  return c.SetNchw(0,
                   c.Op("softplus_parametric",
                        {{"x", x}, {"alpha", std::move(alpha)}, {"beta", std::move(beta)}}),
                   0);
}

Status EmitActivation(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const Activation& params = c.layer().activation();
  if (params.has_prelu()) return EmitPRelu(c, params.prelu());
  if (params.has_parametricsoftplus()) {
    return EmitParametricSoftplus(c, params.parametricsoftplus());
  }
  ir::Value* x = c.Carried(0);
  ir::Value* y = nullptr;
  switch (params.NonlinearityType_case()) {
    case Activation::kLinear:
      y = WithAlphaBeta(c, "linear_activation", x, params.linear().alpha(), params.linear().beta());
      break;
    case Activation::kReLU:
      y = c.Op("relu", {{"x", x}});
      break;
    case Activation::kLeakyReLU:
      y = WithAlpha(c, "leaky_relu", x, params.leakyrelu().alpha());
      break;
    case Activation::kThresholdedReLU:
      y = WithAlpha(c, "thresholded_relu", x, params.thresholdedrelu().alpha());
      break;
    case Activation::kTanh:
      y = c.Op("tanh", {{"x", x}});
      break;
    case Activation::kScaledTanh:
      y = WithAlphaBeta(c, "scaled_tanh", x, params.scaledtanh().alpha(),
                        params.scaledtanh().beta());
      break;
    case Activation::kSigmoid:
      y = c.Op("sigmoid", {{"x", x}});
      break;
    case Activation::kSigmoidHard:
      y = WithAlphaBeta(c, "sigmoid_hard", x, params.sigmoidhard().alpha(),
                        params.sigmoidhard().beta());
      break;
    case Activation::kELU:
      y = WithAlpha(c, "elu", x, params.elu().alpha());
      break;
    case Activation::kSoftsign:
      y = c.Op("softsign", {{"x", x}});
      break;
    case Activation::kSoftplus:
      y = c.Op("softplus", {{"x", x}});
      break;
    default:
      return InvalidInput("the activation has no type that is known");
  }
  return c.SetLike(0, y, 0);
}

Status EmitSoftmax(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  return c.SetNchw(0, c.Op("softmax", {{"x", c.Nchw(0)}, {"axis", ir::Literal::Int32(1)}}), 0);
}

Status EmitSoftmaxNd(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, c.layer().softmaxnd().axis()));
  return c.Set(0, c.Op("softmax", {{"x", c.Value(0)},
                                   {"axis", ir::Literal::Int32(static_cast<int32_t>(axis))}}));
}

Status EmitClampedRelu(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const auto& params = c.layer().clampedrelu();
  return c.SetLike(0, WithAlphaBeta(c, "clamped_relu", c.Carried(0), params.alpha(), params.beta()),
                   0);
}

Status EmitGelu(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  std::string mode;
  switch (c.layer().gelu().mode()) {
    case nn::GeluLayerParams::EXACT:
      mode = "EXACT";
      break;
    case nn::GeluLayerParams::TANH_APPROXIMATION:
      mode = "TANH_APPROXIMATION";
      break;
    case nn::GeluLayerParams::SIGMOID_APPROXIMATION:
      mode = "SIGMOID_APPROXIMATION";
      break;
    default:
      return InvalidInput("mode {} is unknown", static_cast<int>(c.layer().gelu().mode()));
  }
  return c.SetLike(0, c.Op("gelu", {{"x", c.Carried(0)}, {"mode", ir::Literal::String(mode)}}), 0);
}

constexpr LayerRow kActivationRows[] = {
    {Layer::kActivation, "activation", EmitActivation,
     "relu, leaky_relu, thresholded_relu, prelu, tanh, scaled_tanh, sigmoid, sigmoid_hard, elu, "
     "softsign, softplus, softplus_parametric, linear_activation"},
    {Layer::kSoftmax, "softmax", EmitSoftmax, "softmax"},
    {Layer::kSoftmaxND, "softmaxND", EmitSoftmaxNd, "softmax"},
    {Layer::kClampedReLU, "clampedReLU", EmitClampedRelu, "clamped_relu"},
    {Layer::kGelu, "gelu", EmitGelu, "gelu"},
};

}  // namespace

std::span<const LayerRow> ActivationLayers() { return kActivationRows; }

}  // namespace anemone::neural_network
