#include "lab/placement_facts.h"

#include <algorithm>

#include "exec/function_inputs.h"
#include "placement/analyze.h"
#include "placement/latency_model.h"

namespace anemone::lab {
namespace {

std::optional<Estimate> ToEstimate(const std::optional<placement::Interval>& interval) {
  if (!interval) return std::nullopt;
  return Estimate{interval->value, interval->low, interval->high};
}

}  // namespace

// The segmenter's choice among the operators that the rules are sure of, and those they admit. When
// it gives everything to the CPU, the interval shows what the engine could take.
Estimate CoverageOf(const placement::Analysis& analysis) {
  const double preferred = analysis.preferred.by_count_pct;
  return {preferred, std::min(preferred, analysis.supported_low_pct),
          std::max(preferred, analysis.supported_high_pct)};
}

Status AddPlacementFacts(const ir::Model& model, Manifest* manifest) {
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(model, ""));
  const placement::FlexibleShapes flexible = placement::FlexibilityOf(model, function->name);
  struct Slot {
    std::string_view chip;
    std::optional<Estimate>* speedup;
  };
  const Slot slots[] = {{"m1", &manifest->expected_speedup_m1},
                        {"m2", &manifest->expected_speedup_m2},
                        {"m3", &manifest->expected_speedup_m3}};
  manifest->ane_op_coverage_pct.reset();
  for (const Slot& slot : slots) {
    ANEMONE_ASSIGN(const placement::Chip* chip, placement::FindChip(slot.chip));
    const placement::Analysis analysis = placement::Analyze(*function, *chip, flexible);
    *slot.speedup = ToEstimate(placement::EstimateLatency(analysis).speedup_over_cpu);
    const Estimate coverage = CoverageOf(analysis);
    if (!manifest->ane_op_coverage_pct) {
      manifest->ane_op_coverage_pct = coverage;
      continue;
    }
    Estimate& all = *manifest->ane_op_coverage_pct;
    all.value = std::min(all.value, coverage.value);
    all.low = std::min(all.low, coverage.low);
    all.high = std::max(all.high, coverage.high);
  }
  return {};
}

}  // namespace anemone::lab
