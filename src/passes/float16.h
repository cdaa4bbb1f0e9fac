// Half-precision compute: turns a float32 program into one whose operations compute on float16,
// with casts at its inputs and outputs. What cannot be half stays float32 between casts, and is
// named in a note: operations with a constant beyond 65504, those the caller wants to keep,
// operators that know no half, control flow and states.
//
// Constants are rounded to nearest. A constant of fewer than 400 elements never becomes zero: what
// would vanish becomes the smallest half above zero (2^-24), so that an epsilon keeps its work;
// larger ones may lose tiny elements, which a note tells. Infinities, and numbers beyond 1e38 that
// stand for them (masks), become infinite. Thread rules: as all passes. Errors: kUnsupported for
// half inputs or outputs before ios16.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace anemone::passes {

struct Float16Options {
  // Operations for which this is true stay in float32. May be empty.
  std::function<bool(const ir::Operation&)> keep_float32;
  // The function's float32 inputs, outputs become float16 themselves (ios16 and later).
  bool half_inputs = false;
  bool half_outputs = false;
};

Result<bool> ComputeInFloat16(ir::Function& function, const Float16Options& options,
                              PassContext& context);

// A predicate for keep_float32: true when an operation's type or name matches one of the patterns,
// in full: regular expressions (ECMAScript): "softmax", "layer_norm.*", "head/.*|stem". kUsage for
// one that is no regular expression.
Result<std::function<bool(const ir::Operation&)>> MatchOperations(
    const std::vector<std::string>& patterns);

}  // namespace anemone::passes
