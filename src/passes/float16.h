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
#include <regex>
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

// Operations chosen by their type or name: regular expressions (ECMAScript) that match one of them
// in full: "softmax", "layer_norm.*", "head/.*|stem".
class OperationPatterns {
 public:
  // kUsage for a pattern that is not a regular expression.
  static Result<OperationPatterns> Parse(const std::vector<std::string>& patterns);
  // The pattern that matches nothing but `name`.
  static std::string Of(const std::string& name);

  bool empty() const { return patterns_.empty(); }
  bool Match(const ir::Operation& operation) const;
  // kUsage when a pattern matches no operation of `program` that takes or makes float32 tensors; it
  // suggests the names and types that come near.
  Status CheckEachMatches(const ir::Program& program) const;

 private:
  struct Pattern {
    std::string text;
    std::regex compiled;
    bool Match(const ir::Operation& operation) const;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace anemone::passes
