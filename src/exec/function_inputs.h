// What every backend checks before it runs: the function chosen, and the inputs against its
// signature.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::exec {

// The function named `name`, or the default one when empty. kUsage lists the names that exist.
Result<const ir::Function*> ChooseFunction(const ir::Model& model, const std::string& name);
// kUsage when an input is missing, unknown, or does not fit its declared type; lists every problem
// at once.
Status CheckInputs(const ir::Function& function, std::span<const BoundInput> inputs);
// Views of `inputs`, which must outlive them.
std::vector<BoundInput> BindAll(const std::map<std::string, Tensor>& inputs);
// The input named `name`; null when there is none.
const BoundInput* FindInput(std::span<const BoundInput> inputs, std::string_view name);

}  // namespace anemone::exec
