// HalfSearch: the smallest set of operators that must stay in float32 so that a program's float16
// form answers as its float32 form does. Every set is tested on the samples, none is guessed: first
// the operators whose values leave half's range or that add most of the error, with what takes
// their values; where the error is spread over the network, its stretches, each measured alone.
// Before that, values that leave half's range are scaled by powers of two where that changes nothing
// else (passes/rescale_for_half.h), which costs no float32 arithmetic.
//
// Thread rules: pure but for the callback; uses the backend's threads. The result depends on the
// program and the samples alone, not on time or threads. Errors: those of running a model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "lab/half_check.h"

namespace anemone::lab {

// What float32 costs in a float16 program.
struct HalfCost {
  double share = 0;       // of the arithmetic that is computed in float32
  int64_t operators = 0;  // computed in float32; casts and constants do not count
  int64_t casts = 0;
};
HalfCost CostOfHalf(const ir::Function& function);

struct HalfPlan {
  HalfOutcome plain;  // with nothing done
  // The float32 program to start from: the checked one, or one that answers the same with the
  // results of `rescaled` operators stored times a power of two.
  std::shared_ptr<const ir::Model> base;
  int64_t rescaled = 0;
  std::vector<std::string> keep;  // names of operators, in execution order; empty: nothing helps
  HalfOutcome outcome;            // with these kept; `plain` when the list is empty
  HalfCost cost;                  // with these kept
  int64_t casts_added = 0;        // beyond those that float16 needs anyway
  // The least share of arithmetic for which a tested set was within the limit; above 1 when none
  // was. Tells whether a list is missing because it would be too long.
  double least_share = 2;
};

struct HalfSearchOptions {
  // Differences of outputs, divided by their range: the one to reach, which leaves room for other
  // inputs than the samples, and the one that is good enough.
  double goal = 5e-3;
  double limit = 1e-2;
  // Above this share of the arithmetic in float32, a list is not worth a better answer; it is when
  // without one the answer is not usable at all.
  double most_share = 0.25;
  // Makes the float16 form of a float32 program with these operators kept.
  std::function<Result<std::shared_ptr<const ir::Model>>(const ir::Model& single,
                                                         const std::set<std::string>& keep)>
      to_float16;
  bool chooses = true;                   // false: only judge the form with nothing kept
  std::function<bool()> cancelled = {};  // asked before each trial; true ends with kCancelled
};

Result<HalfPlan> PlanHalf(const HalfCheck& check, const HalfSearchOptions& options);

}  // namespace anemone::lab
