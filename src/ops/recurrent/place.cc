// Recurrent layers: no Neural Engine runs them (Apple's engineers and M4's plans agree).
#include "placement/place.h"

namespace anemone::ops::recurrent {

using placement::BeliefKind;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;

namespace {

Verdict Recurrent(const Query& query) {
  return placement::No("recurrent", placement::kMeasuredM4,
                       fmt::format("the Neural Engine has no {}", query.args.def().name),
                       "unroll the steps into linear and elementwise operators when there are few");
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {.op = "gru", .ane = Recurrent, .work = WorkKind::kMatmul, .belief = BeliefKind::kNone},
      {.op = "lstm", .ane = Recurrent, .work = WorkKind::kMatmul, .belief = BeliefKind::kNone},
      {.op = "rnn", .ane = Recurrent, .work = WorkKind::kMatmul, .belief = BeliefKind::kNone},
  };
  return kRules;
}

}  // namespace anemone::ops::recurrent
