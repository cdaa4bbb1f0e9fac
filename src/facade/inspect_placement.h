// The placement part of inspect: where each operator of a model would run on the given chips, as
// text and as JSON. Thread rules: pure functions. Errors: those of finding the function.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "ir/model.h"
#include "placement/analyze.h"
#include "placement/chip.h"

namespace anemone::facade {

struct PlacementReport {
  std::string function;
  std::vector<placement::Analysis> chips;  // one for each chip; they point into the model
};
// `function` empty: the default one.
Result<PlacementReport> AnalyzePlacement(const ir::Model& model, const std::string& function,
                                         const std::vector<const placement::Chip*>& chips,
                                         ComputeUnits units);

// What a rule says of one operator on one unit, with its evidence.
Json VerdictJson(const placement::Verdict& verdict);
// The value of the key "placement" of inspect's JSON.
Json PlacementJson(const PlacementReport& report);
// Tables: one of the chips, and for each chip the operators (all, or only those that miss the
// Neural Engine).
std::string PlacementText(const PlacementReport& report, bool all_operators);

}  // namespace anemone::facade
