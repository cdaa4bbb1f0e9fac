#include "exec/session_inputs.h"

#include <algorithm>

namespace anemone::exec {

Result<const ir::Function*> ChooseFunction(const ir::Model& model, const std::string& name) {
  const std::string wanted = name.empty() ? model.default_function : name;
  const ir::Function* function = wanted.empty() ? model.program.main() : model.program.Find(wanted);
  if (function != nullptr) return function;
  std::string names;
  for (const auto& candidate : model.program.functions)
    names += (names.empty() ? "" : ", ") + candidate->name;
  if (wanted.empty())
    return Usage("the model has several functions and no default").Advise("choose one of " + names);
  return Usage("the model has no function '{}'", wanted).Advise("it has " + names);
}

Status CheckInputs(const ir::Function& function, const std::map<std::string, Tensor>& inputs) {
  std::string problems;
  const auto add = [&](const std::string& problem) {
    problems += (problems.empty() ? "" : "; ") + problem;
  };
  for (const auto& input : function.inputs()) {
    if (input->type.is_state()) continue;
    const auto found = inputs.find(input->name);
    if (found == inputs.end()) {
      add(fmt::format("input '{}' ({}) is not given", input->name, input->type.ToString()));
      continue;
    }
    const Tensor& tensor = found->second;
    const ir::Type given = ir::Type::Tensor(input->type.dtype(), tensor.shape());
    if (tensor.dtype() != StorageDType(input->type.dtype()) ||
        !ir::IsCompatible(given, input->type)) {
      add(fmt::format("input '{}' takes {}, is given {} {}", input->name, input->type.ToString(),
                      DTypeName(tensor.dtype()), ir::ShapeToString(tensor.shape())));
    }
  }
  for (const auto& [name, tensor] : inputs) {
    const bool known = std::any_of(function.inputs().begin(), function.inputs().end(),
                                   [&](const auto& input) { return input->name == name; });
    if (!known) add(fmt::format("there is no input '{}'", name));
  }
  if (!problems.empty()) return Usage("{}", problems);
  return {};
}

}  // namespace anemone::exec
