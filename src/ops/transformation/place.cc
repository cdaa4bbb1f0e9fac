// Reshaping and moving: copies. Reshapes and transposes cost a pass over memory each.
#include "placement/place.h"

namespace anemone::ops::transformation {

using placement::BeliefKind;
using placement::No;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;
using placement::YesEverywhere;

namespace {

Verdict Reshape(const Query& query) {
  if (query.IsDynamic("shape")) {
    return No("reshape_dynamic", placement::kTables, "shape known only at run time",
              "reshape to a constant shape");
  }
  return YesEverywhere(query);
}

Verdict ReverseSequence(const Query&) {
  return No("reverse_sequence", placement::kMeasuredM4, "the Neural Engine has no reverse_sequence",
            "reverse with a constant length");
}

Verdict SpaceToBatch(const Query& query) {
  const ir::Type& x = query.args.TypeOf("x");
  if (x.has_rank() && x.rank() == 5) {
    return No("space_to_batch_3d", placement::kStrings,
              fmt::format("{} with three spatial dimensions", query.args.def().name));
  }
  return YesEverywhere(query);
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {"batch_to_space", SpaceToBatch, WorkKind::kMovement, BeliefKind::kMemory},
      {"depth_to_space", YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},
      {"expand_dims", YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},
      {"pixel_shuffle", YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},
      {"pixel_unshuffle", YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},
      {"reshape", Reshape, WorkKind::kMovement, BeliefKind::kMemory},
      {"reshape_like", Reshape, WorkKind::kMovement, BeliefKind::kMemory},
      {"reverse", YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},
      {.op = "reverse_sequence",
       .ane = ReverseSequence,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kNone},
      {"space_to_batch", SpaceToBatch, WorkKind::kMovement, BeliefKind::kMemory},
      {"space_to_depth", YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},
      {"squeeze", YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},
      {.op = "transpose",
       .ane = YesEverywhere,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kTranspose},
  };
  return kRules;
}

}  // namespace anemone::ops::transformation
