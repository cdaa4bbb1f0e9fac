// Evaluate (exec/kernel.h) for an operation of a program, whose results have declared dtypes. Inference
// on known values alone cannot tell which operand was the constant, and where an operator takes
// integers beside floats the dtype of the result depends on that. Thread rules and errors: as Evaluate.
#pragma once

#include <vector>

#include "exec/kernel.h"

namespace anemone::exec {

struct EvaluateOptions {
  std::vector<DType> declared = {};  // of output i
  RoundingRule rounding = {};
  bool int64_results = false;  // ir::Operation::has_int64_results
};

// Like Evaluate.
Result<std::vector<Tensor>> EvaluateAs(const ir::OpDef& def, ir::Opset opset,
                                       const std::vector<EvalInput>& inputs,
                                       const EvaluateOptions& options);

}  // namespace anemone::exec
