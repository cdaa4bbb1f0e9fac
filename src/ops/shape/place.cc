// Shapes, filling and random numbers: not on the Neural Engine; most vanish at conversion.
#include "placement/place.h"

namespace anemone::ops::shape {

using placement::BeliefKind;
using placement::No;
using placement::Others;
using placement::PlaceRule;
using placement::Query;
using placement::Unknown;
using placement::Verdict;
using placement::WorkKind;

namespace {

Verdict NoUnit(const Query&) { return Unknown("no_unit", "constants have no unit"); }

Verdict Fill(const Query&) {
  return Unknown("fill", "no published plan shows it; with constant sizes it folds to a constant");
}

Verdict Identity(const Query& query) { return placement::YesEverywhere(query); }

Verdict Random(const Query& query) {
  return No("random", placement::kMeasuredM4,
            fmt::format("the Neural Engine has no {}", query.args.def().name),
            "draw the numbers outside and pass them in");
}

Verdict Shapes(const Query& query) {
  return No("shape_arithmetic", placement::kMeasuredM4,
            fmt::format("{} gives int32 sizes or indices", query.args.def().name),
            "fix the shapes, so that it folds to a constant");
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {"const", NoUnit, WorkKind::kNone, BeliefKind::kNone, Others::kNobody},
      {"fill", Fill, WorkKind::kElementwise, BeliefKind::kMemory},
      {"fill_like", Fill, WorkKind::kElementwise, BeliefKind::kMemory},
      {"identity", Identity, WorkKind::kMovement, BeliefKind::kMemory},
      {.op = "random_bernoulli",
       .ane = Random,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kNone},
      {.op = "random_categorical",
       .ane = Random,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kNone},
      {.op = "random_normal",
       .ane = Random,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kNone},
      {.op = "random_uniform",
       .ane = Random,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kNone},
      {.op = "range_1d",
       .ane = Shapes,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kMemory,
       .others = Others::kCpuOnly},
      {.op = "shape",
       .ane = Shapes,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kMemory,
       .int32_outputs_allowed = true},
  };
  return kRules;
}

}  // namespace anemone::ops::shape
