// Evaluate (exec/kernel.h) for an operation of a program, whose results have declared dtypes. Inference
// on known values alone cannot tell which operand was the constant, and where an operator takes
// integers beside floats the dtype of the result depends on that. Thread rules and errors: as Evaluate.
#pragma once

#include <vector>

#include "exec/kernel.h"

namespace anemone::exec {

// Like Evaluate; output i has the dtype `declared[i]`.
Result<std::vector<Tensor>> EvaluateAs(const ir::OpDef& def, ir::Opset opset,
                                       const std::vector<EvalInput>& inputs,
                                       const std::vector<DType>& declared,
                                       const RoundingRule& rounding);

}  // namespace anemone::exec
