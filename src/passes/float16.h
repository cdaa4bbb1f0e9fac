// Half-precision compute: turns a float32 program into one whose operations compute on float16,
// with casts at its inputs and outputs. Operations that cannot be half stay in float32 between
// casts, and a note names each: those with a constant beyond 65504, those that the caller wants to
// keep, operators without half types, control flow and states.
//
// Constants are rounded to nearest. Elements of a constant of fewer than 400 elements never become
// zero: those that would are set to the smallest half above zero (2^-24), so that an epsilon keeps
// its effect. Larger constants may lose tiny elements, which a note reports. Infinities, and
// numbers beyond 1e38 that stand for them (masks), become infinite. Thread rules: as all passes.
// Errors: kUnsupported for half inputs or outputs before ios16.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace anemone::passes {

struct Float16Options {
  // Operations for which this is true stay in float32. May be empty.
  std::function<bool(const ir::Operation&)> keep_float32;
  // The function's own float32 inputs and outputs become float16 (ios16 and later).
  bool half_inputs = false;
  bool half_outputs = false;
};

Result<bool> ComputeInFloat16(ir::Function& function, const Float16Options& options,
                              PassContext& context);

// A predicate for keep_float32: true when one of the patterns matches an operation's type or name
// in full. Patterns are regular expressions (ECMAScript): "softmax", "layer_norm.*",
// "head/.*|stem". kUsage for a pattern that is not a regular expression.
Result<std::function<bool(const ir::Operation&)>> MatchOperations(
    const std::vector<std::string>& patterns);

}  // namespace anemone::passes
