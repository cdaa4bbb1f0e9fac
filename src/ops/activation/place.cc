// Activations: the Neural Engine has all of them. Measured on M4: relu, sigmoid, tanh, gelu, silu,
// softplus, elu, leaky relu, prelu, clip, softmax over any axis.
#include "placement/place.h"

namespace anemone::ops::activation {

using placement::EstimateKind;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::YesEverywhere;

namespace {

// A scale for each channel must be known when the model is compiled.
Verdict Prelu(const Query& query) {
  if (query.IsDynamic("alpha")) {
    return placement::Maybe("prelu_alpha", false, placement::kTables,
                            "alpha known only at run time");
  }
  return YesEverywhere(query);
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {"clamped_relu", YesEverywhere},
      {"elu", YesEverywhere},
      {"gelu", YesEverywhere},
      {"leaky_relu", YesEverywhere},
      {"linear_activation", YesEverywhere},
      {"prelu", Prelu},
      {.op = "relu", .ane = YesEverywhere, .estimate = EstimateKind::kRelu},
      {"relu6", YesEverywhere},
      {"scaled_tanh", YesEverywhere},
      {"sigmoid", YesEverywhere},
      {"sigmoid_hard", YesEverywhere},
      {"silu", YesEverywhere},
      {"softmax", YesEverywhere},
      {"softplus", YesEverywhere},
      {"softplus_parametric", YesEverywhere},
      {"softsign", YesEverywhere},
      {"thresholded_relu", YesEverywhere},
  };
  return kRules;
}

}  // namespace anemone::ops::activation
