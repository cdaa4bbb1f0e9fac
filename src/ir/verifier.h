// Verify: the rules that every program obeys between passes: each value is defined before its use
// and once, names are unique, each argument is declared by its operator, types are what inference
// says, block outputs exist. Thread rules: pure. Errors: kInvalidInput, with function and operation
// as place.
#pragma once

#include "base/status.h"
#include "ir/program.h"

namespace anemone::ir {

Status Verify(const Function& function);
Status Verify(const Program& program);

// Infers the output types of `operation` from its arguments, without changing the operation.
Status InferOperation(const Operation& operation, Opset opset, std::vector<Type>* outputs);

}  // namespace anemone::ir
