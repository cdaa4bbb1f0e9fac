// Score: how far our prediction agrees with a plan that Core ML gave, by operator and by rule, so
// that a wrong rule is found. Operations are matched by the name of the operation or of an output.
// Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "placement/analyze.h"
#include "placement/plan.h"

namespace anemone::placement {

struct Agreement {
  std::string name;  // of the operator or the rule; "" of all
  int64_t operations = 0;
  int64_t sets_compared = 0;
  int64_t sets_right = 0;
  int64_t preferred_compared = 0;
  int64_t preferred_right = 0;

  int64_t wrong() const {
    return sets_compared - sets_right + preferred_compared - preferred_right;
  }
};

struct Disagreement {
  std::string name;
  std::string type;
  std::string rule;  // of our verdict on the Neural Engine
  std::vector<ComputeUnit> predicted;
  std::vector<ComputeUnit> planned;  // empty: the plan does not tell
  ComputeUnit predicted_preferred = ComputeUnit::kUnknown;
  ComputeUnit planned_preferred = ComputeUnit::kUnknown;
};

struct Score {
  Agreement all;
  std::vector<Agreement> by_operator;  // the worst first
  std::vector<Agreement> by_rule;      // the worst first
  std::vector<Disagreement> disagreements;
  int64_t not_in_plan = 0;   // our operations that the plan does not name
  int64_t not_in_model = 0;  // the plan's that the model does not hold

  void Add(const Score& other);
};

// The GPU is compared only when the plan names it for any operation: without it in the compute
// units, a plan never does.
Score ScorePlan(const Analysis& analysis, const ComputePlan& plan);

}  // namespace anemone::placement
