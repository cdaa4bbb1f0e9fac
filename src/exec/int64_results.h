// Integers that are int64 in the model a program was made from have 32 bits in Core ML. An operation
// whose results may not fit (ir::Operation::has_int64_results) is checked each time that it runs here, so
// that no number is wrong in silence; Core ML itself wraps them around. Thread rules: pure functions.
#pragma once

#include <vector>

#include "base/status.h"
#include "exec/kernel.h"
#include "ir/op_def.h"

namespace anemone::exec {

// Fails with kInvalidInput when a number that the operator makes of `inputs` does not fit in int32, and
// `results` is therefore not it: the numbers are computed a second time, in float32, which tells a sum
// from one that lacks a multiple of 2^32. `args` are those of the operator in this call.
Status CheckInt64Results(const ir::OpArgs& args, const std::vector<EvalInput>& inputs,
                         const std::vector<Tensor>& results);

}  // namespace anemone::exec
