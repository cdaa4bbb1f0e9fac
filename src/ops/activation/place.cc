// Activations: the Neural Engine has all of them. Measured on M4: relu, sigmoid, tanh, gelu, silu,
// softplus, elu, leaky relu, prelu, clip, softmax over any axis.
#include "placement/place.h"

namespace anemone::ops::activation {

using placement::BeliefKind;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;
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
      {"clamped_relu", YesEverywhere, WorkKind::kElementwise},
      {"elu", YesEverywhere, WorkKind::kElementwise},
      {"gelu", YesEverywhere, WorkKind::kElementwise},
      {"leaky_relu", YesEverywhere, WorkKind::kElementwise},
      {"linear_activation", YesEverywhere, WorkKind::kElementwise},
      {"prelu", Prelu, WorkKind::kElementwise},
      {.op = "relu",
       .ane = YesEverywhere,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kRelu},
      {"relu6", YesEverywhere, WorkKind::kElementwise},
      {"scaled_tanh", YesEverywhere, WorkKind::kElementwise},
      {"sigmoid", YesEverywhere, WorkKind::kElementwise},
      {"sigmoid_hard", YesEverywhere, WorkKind::kElementwise},
      {"silu", YesEverywhere, WorkKind::kElementwise},
      {"softmax", YesEverywhere, WorkKind::kReduction},
      {"softplus", YesEverywhere, WorkKind::kElementwise},
      {"softplus_parametric", YesEverywhere, WorkKind::kElementwise},
      {"softsign", YesEverywhere, WorkKind::kElementwise},
      {"thresholded_relu", YesEverywhere, WorkKind::kElementwise},
  };
  return kRules;
}

}  // namespace anemone::ops::activation
