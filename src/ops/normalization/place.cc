// Normalizations: all of them, over any axis (measured on M4).
#include "placement/place.h"

namespace anemone::ops::normalization {

using placement::BeliefKind;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;
using placement::YesEverywhere;

namespace {

// Reported: a rank-3 layer_norm of a model with enumerated shapes leaves the engine, rank 4 stays.
Verdict LayerNorm(const Query& query) {
  const ir::Type& x = query.args.TypeOf("x");
  if (query.flexible == placement::FlexibleShapes::kEnumerated && x.has_rank() && x.rank() == 3) {
    return placement::Maybe("layer_norm_enumerated", false,
                            {"coremltools issue 1909", placement::Confidence::kMeasured},
                            "rank 3 with enumerated shapes", "expand to rank 4 before it");
  }
  return YesEverywhere(query);
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      // It scales and shifts, and so fuses like an activation.
      {"batch_norm", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"instance_norm", YesEverywhere, WorkKind::kReduction, BeliefKind::kMemory},
      {"l2_norm", YesEverywhere, WorkKind::kReduction, BeliefKind::kMemory},
      {"layer_norm", LayerNorm, WorkKind::kReduction, BeliefKind::kMemory},
      {"local_response_norm", YesEverywhere, WorkKind::kReduction, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::normalization
