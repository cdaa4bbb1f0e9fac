// activation, elementwise, softmax and softmax_nd.
#include <algorithm>
#include <optional>
#include <string>

#include "format/espresso/layers.h"

namespace anemone::format::espresso {
namespace {

using Layer = nn::NeuralNetworkLayer;

// A mode of activation: which of alpha and beta it takes, and the specification's layer of it.
struct Activation {
  int64_t mode;
  bool takes_alpha, takes_beta;
  void (*set)(Layer* layer, float alpha, float beta);
};

template <nn::GeluLayerParams::GeluMode kMode>
void SetGelu(Layer* layer, float, float) {
  layer->mutable_gelu()->set_mode(kMode);
}

constexpr Activation kActivations[] = {
    {0, false, false, [](Layer* l, float, float) { l->mutable_activation()->mutable_relu(); }},
    {1, false, false, [](Layer* l, float, float) { l->mutable_activation()->mutable_tanh(); }},
    {2, true, false,
     [](Layer* l, float alpha, float) {
       l->mutable_activation()->mutable_leakyrelu()->set_alpha(alpha);
     }},
    {3, false, false, [](Layer* l, float, float) { l->mutable_activation()->mutable_sigmoid(); }},
    {5, true, true,
     [](Layer* l, float alpha, float beta) {
       auto* params = l->mutable_activation()->mutable_scaledtanh();
       params->set_alpha(alpha);
       params->set_beta(beta);
     }},
    {6, true, true,
     [](Layer* l, float alpha, float beta) {
       auto* params = l->mutable_activation()->mutable_linear();
       params->set_alpha(alpha);
       params->set_beta(beta);
     }},
    {8, true, false,
     [](Layer* l, float alpha, float) {
       l->mutable_activation()->mutable_elu()->set_alpha(alpha);
     }},
    {9, true, false,
     [](Layer* l, float alpha, float) {
       l->mutable_activation()->mutable_thresholdedrelu()->set_alpha(alpha);
     }},
    {10, false, false, [](Layer* l, float, float) { l->mutable_activation()->mutable_softplus(); }},
    {12, false, false, [](Layer* l, float, float) { l->mutable_activation()->mutable_softsign(); }},
    {19, false, false, SetGelu<nn::GeluLayerParams::EXACT>},
    {20, false, false, [](Layer* l, float, float) { l->mutable_erf(); }},
    {21, false, false, SetGelu<nn::GeluLayerParams::TANH_APPROXIMATION>},
    {22, false, false, SetGelu<nn::GeluLayerParams::SIGMOID_APPROXIMATION>},
};

Status ConvertActivation(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const int64_t mode, layer.Int("mode", 0));
  const auto* known = std::ranges::find(kActivations, mode, &Activation::mode);
  if (known == std::end(kActivations)) return NotKnown("its mode {} is not known", mode);
  float alpha = 0, beta = 0;
  if (known->takes_alpha) {
    ANEMONE_ASSIGN(alpha, layer.Number("alpha"));
  } else {
    ANEMONE_TRY(layer.Only({"alpha"}, {0, 1}));
  }
  if (known->takes_beta) {
    ANEMONE_ASSIGN(beta, layer.Number("beta"));
  } else {
    ANEMONE_TRY(layer.Only({"beta"}, {0}));
  }
  known->set(layer.Add(), alpha, beta);
  return {};
}

// Functions of one or two values that take no parameters. What they are to the specification's
// layers is a call of the setter.
struct Function {
  int64_t operation;
  size_t inputs;
  void (*set)(Layer* layer);
};

#define ANEMONE_LAYER(name) [](Layer* layer) { layer->mutable_##name(); }
#define ANEMONE_UNARY(name) \
  [](Layer* layer) { layer->mutable_unary()->set_type(nn::UnaryFunctionLayerParams::name); }
constexpr Function kFunctions[] = {
    {0, 2, ANEMONE_LAYER(addbroadcastable)},
    {1, 2, ANEMONE_LAYER(multiplybroadcastable)},
    {11, 1, ANEMONE_UNARY(SQRT)},
    {13, 2, ANEMONE_LAYER(powbroadcastable)},
    {22, 2, ANEMONE_LAYER(minbroadcastable)},
    {23, 2, ANEMONE_LAYER(maxbroadcastable)},
    {24, 1, ANEMONE_UNARY(ABS)},
    {27, 1, ANEMONE_UNARY(EXP)},
    {35, 1, ANEMONE_LAYER(exp2)},
    {36, 2, ANEMONE_LAYER(modbroadcastable)},
    {37, 1, ANEMONE_LAYER(round)},
    {38, 1, ANEMONE_LAYER(sign)},
    {100, 2, ANEMONE_LAYER(equal)},
    {101, 3, ANEMONE_LAYER(wherebroadcastable)},
    {102, 2, ANEMONE_LAYER(dividebroadcastable)},
    {103, 2, ANEMONE_LAYER(lessthan)},
    {104, 2, ANEMONE_LAYER(lessequal)},
    {105, 2, ANEMONE_LAYER(greaterthan)},
    {106, 2, ANEMONE_LAYER(greaterequal)},
    {107, 2, ANEMONE_LAYER(notequal)},
    {114, 1, ANEMONE_LAYER(cos)},
    {115, 1, ANEMONE_LAYER(sin)},
    {117, 1, ANEMONE_LAYER(floor)},
    {118, 1, ANEMONE_LAYER(ceil)},
    {121, 1, ANEMONE_LAYER(tan)},
    {122, 1, ANEMONE_LAYER(cosh)},
    {123, 1, ANEMONE_LAYER(sinh)},
    {125, 1, ANEMONE_LAYER(acos)},
    {126, 1, ANEMONE_LAYER(asin)},
    {127, 1, ANEMONE_LAYER(atan)},
    {130, 1, ANEMONE_LAYER(atanh)},
    {1021, 2, ANEMONE_LAYER(floordivbroadcastable)},
};
#undef ANEMONE_UNARY
#undef ANEMONE_LAYER

constexpr int64_t kAddConstant = 2, kMultiplyConstant = 3, kInverse = 10, kRsqrt = 12, kLog = 26,
                  kClip = 119;

Status ConvertFunction(LayerReader& layer, int64_t operation) {
  const auto* function = std::ranges::find(kFunctions, operation, &Function::operation);
  if (function == std::end(kFunctions)) return NotKnown("its operation {} is not known", operation);
  ANEMONE_TRY(layer.CheckCounts(function->inputs));
  // 0 where an operation does not look at it.
  ANEMONE_TRY(layer.Only({"alpha"}, {0, 1}));
  ANEMONE_TRY(layer.Only({"beta", "eps"}, {0}));
  ANEMONE_ASSIGN(auto* made, layer.AddFused("fused_relu", ""));
  function->set(made);
  return {};
}

// 1 / (x + eps), 1 / sqrt(x + eps) or log(x + eps).
Status ConvertWithEpsilon(LayerReader& layer, nn::UnaryFunctionLayerParams::Operation function) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_TRY(layer.Only({"alpha"}, {0, 1}));
  ANEMONE_TRY(layer.Only({"beta"}, {0}));
  ANEMONE_ASSIGN(const float epsilon, layer.Number("eps", 0));
  if (epsilon <= 0) return NotKnown("the epsilon that it adds, for it has no 'eps'");
  ANEMONE_ASSIGN(auto* made, layer.AddFused("fused_relu", ""));
  made->mutable_unary()->set_type(function);
  made->mutable_unary()->set_epsilon(epsilon);
  return {};
}

Status ConvertElementwise(LayerReader& layer) {
  ANEMONE_ASSIGN(const int64_t operation, layer.Int("operation", 0));
  // Whether sizes are matched from the last axis, which they are in any case once shapes are known.
  layer.Ignore({"nd_mode"});
  switch (operation) {
    case kAddConstant:
    case kMultiplyConstant: {
      ANEMONE_TRY(layer.CheckCounts(1));
      ANEMONE_ASSIGN(const float alpha, layer.Number("alpha"));
      ANEMONE_TRY(layer.Only({"beta", "eps"}, {0}));
      ANEMONE_ASSIGN(auto* made, layer.AddFused("fused_relu", ""));
      auto* linear = made->mutable_activation()->mutable_linear();
      linear->set_alpha(operation == kMultiplyConstant ? alpha : 1);
      linear->set_beta(operation == kMultiplyConstant ? 0 : alpha);
      return {};
    }
    case kClip: {
      ANEMONE_TRY(layer.CheckCounts(1));
      ANEMONE_ASSIGN(const float low, layer.Number("alpha"));
      ANEMONE_ASSIGN(const float high, layer.Number("beta"));
      ANEMONE_TRY(layer.Only({"eps"}, {0}));
      if (low > high) return NotKnown("it clips to [{}, {}]", low, high);
      ANEMONE_ASSIGN(auto* made, layer.AddFused("fused_relu", ""));
      made->mutable_clip()->set_minval(low);
      made->mutable_clip()->set_maxval(high);
      return {};
    }
    case kInverse:
      return ConvertWithEpsilon(layer, nn::UnaryFunctionLayerParams::INVERSE);
    case kRsqrt:
      return ConvertWithEpsilon(layer, nn::UnaryFunctionLayerParams::RSQRT);
    case kLog:
      return ConvertWithEpsilon(layer, nn::UnaryFunctionLayerParams::LOG);
    default:
      return ConvertFunction(layer, operation);
  }
}

// The axis is told by its size: networks have been seen with each of the last three.
Status ConvertSoftmax(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const ir::Shape dims, layer.Dims(layer.tops().front()));
  const auto rank = static_cast<int64_t>(dims.size());
  const bool told = layer.Has("C");
  ANEMONE_ASSIGN(const int64_t size, layer.Int("C", 0, 0));
  std::optional<int64_t> axis;
  for (int64_t candidate = -1; candidate >= -std::min<int64_t>(rank, 3); --candidate) {
    const int64_t dim = dims[static_cast<size_t>(rank + candidate)];
    // Along another axis of size 1, no values differ.
    if (dim == 1 || (told && size > 1 && dim != size)) continue;
    if (axis) return NotKnown("the axis of a softmax of {}", ir::ShapeToString(dims));
    axis = candidate;
  }
  if (!axis) return NotKnown("the axis of a softmax of {}", ir::ShapeToString(dims));
  layer.Add()->mutable_softmaxnd()->set_axis(*axis);
  return {};
}

Status ConvertSoftmaxNd(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const int64_t rank, layer.Rank(layer.tops().front()));
  ANEMONE_ASSIGN(const int64_t axis, layer.Int("nd_axis", -rank));
  if (axis >= rank || (axis >= 0 && layer.rank5())) return NotKnown("its 'nd_axis' {}", axis);
  layer.Add()->mutable_softmaxnd()->set_axis(axis);
  return {};
}

constexpr LayerRow kElementwiseRows[] = {
    {"activation", ConvertActivation},
    {"elementwise", ConvertElementwise},
    {"softmax", ConvertSoftmax},
    {"softmax_nd", ConvertSoftmaxNd},
};

}  // namespace

std::span<const LayerRow> ElementwiseLayers() { return kElementwiseRows; }

}  // namespace anemone::format::espresso
