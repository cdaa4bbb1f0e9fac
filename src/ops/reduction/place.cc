// Reductions: all except the product, and the indices of extremes, which are int32.
#include "placement/place.h"

namespace anemone::ops::reduction {

using placement::BeliefKind;
using placement::NoKernel;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;
using placement::YesEverywhere;

namespace {

// Long axes are transposed first.
Verdict Reduce(const Query& query) {
  const ir::Type& x = query.args.TypeOf("x");
  const auto axes = query.args.Ints("axes");
  const int64_t limit = query.chip.at_least(placement::AneFamily::kH15) ? 384 : 192;
  for (int64_t axis : axes.ok() ? *axes : std::vector<int64_t>{}) {
    if (!x.has_rank()) break;
    if (axis < 0) axis += x.rank();
    if (axis < 0 || axis >= x.rank() || x.shape()[static_cast<size_t>(axis)] <= limit) continue;
    return placement::YesBut(query, "reduce_long_axis", placement::kTables,
                             fmt::format("{} elements along axis {} > {}: transposed first",
                                         x.shape()[static_cast<size_t>(axis)], axis, limit));
  }
  return YesEverywhere(query);
}

Verdict Extreme(const Query& query) {
  return placement::No("argmax_int32", query.evidence(),
                       "the index is int32: through Core ML it stays off the Neural Engine",
                       "return the scores and take the index outside the model");
}

Verdict LogSumExp(const Query& query) {
  Verdict verdict = YesEverywhere(query);
  verdict.reason = "float16 loses precision on wide ranges (coremltools issue 2690)";
  return verdict;
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {.op = "reduce_argmax",
       .ane = Extreme,
       .work = WorkKind::kReduction,
       .belief = BeliefKind::kMemory,
       .int32_outputs_allowed = true},
      {.op = "reduce_argmin",
       .ane = Extreme,
       .work = WorkKind::kReduction,
       .belief = BeliefKind::kMemory,
       .int32_outputs_allowed = true},
      {"reduce_l1_norm", Reduce, WorkKind::kReduction, BeliefKind::kMemory},
      {"reduce_l2_norm", Reduce, WorkKind::kReduction, BeliefKind::kMemory},
      {"reduce_log_sum", Reduce, WorkKind::kReduction, BeliefKind::kMemory},
      {"reduce_log_sum_exp", LogSumExp, WorkKind::kReduction, BeliefKind::kMemory},
      {"reduce_max", Reduce, WorkKind::kReduction, BeliefKind::kMemory},
      {"reduce_mean", Reduce, WorkKind::kReduction, BeliefKind::kMemory},
      {"reduce_min", Reduce, WorkKind::kReduction, BeliefKind::kMemory},
      {"reduce_prod", NoKernel, WorkKind::kReduction, BeliefKind::kMemory},
      {"reduce_sum", Reduce, WorkKind::kReduction, BeliefKind::kMemory},
      {"reduce_sum_square", Reduce, WorkKind::kReduction, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::reduction
