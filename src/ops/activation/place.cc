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
      {"clamped_relu", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"elu", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"gelu", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"leaky_relu", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"linear_activation", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"prelu", Prelu, WorkKind::kElementwise, BeliefKind::kMemory},
      {.op = "relu",
       .ane = YesEverywhere,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kRelu},
      {"relu6", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"scaled_tanh", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"sigmoid", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"sigmoid_hard", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"silu", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"softmax", YesEverywhere, WorkKind::kReduction, BeliefKind::kMemory},
      {"softplus", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"softplus_parametric", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"softsign", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"thresholded_relu", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::activation
