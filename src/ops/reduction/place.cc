// Reductions: all but the product, and but the indices of extremes, which are int32.
#include "placement/place.h"

namespace anemone::ops::reduction {

using placement::NoKernel;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::YesEverywhere;

namespace {

Verdict Extreme(const Query& query) {
  return placement::No("argmax_int32", query.on_m4() ? placement::kMeasuredM4 : placement::kTables,
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
      {.op = "reduce_argmax", .ane = Extreme, .int32_outputs_allowed = true},
      {.op = "reduce_argmin", .ane = Extreme, .int32_outputs_allowed = true},
      {"reduce_l1_norm", YesEverywhere},
      {"reduce_l2_norm", YesEverywhere},
      {"reduce_log_sum", YesEverywhere},
      {"reduce_log_sum_exp", LogSumExp},
      {"reduce_max", YesEverywhere},
      {"reduce_mean", YesEverywhere},
      {"reduce_min", YesEverywhere},
      {"reduce_prod", NoKernel},
      {"reduce_sum", YesEverywhere},
      {"reduce_sum_square", YesEverywhere},
  };
  return kRules;
}

}  // namespace anemone::ops::reduction
