// What every session checks before it runs: the function chosen, and the inputs against its
// signature.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::exec {

// The function named `name`, or the default one when empty. kUsage lists the names there are.
Result<const ir::Function*> ChooseFunction(const ir::Model& model, const std::string& name);
// kUsage when an input is missing, left over, or does not fit its declared type; every problem is
// listed at once.
Status CheckInputs(const ir::Function& function, const std::map<std::string, Tensor>& inputs);

}  // namespace anemone::exec
