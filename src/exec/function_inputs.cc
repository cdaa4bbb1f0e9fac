#include "exec/function_inputs.h"

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

Status CheckInputs(const ir::Function& function, std::span<const BoundInput> inputs) {
  std::string problems;
  const auto add = [&](const std::string& problem) {
    problems += (problems.empty() ? "" : "; ") + problem;
  };
  for (const auto& input : function.inputs()) {
    if (input->type.is_state()) continue;
    const BoundInput* found = FindInput(inputs, input->name);
    if (found == nullptr) {
      add(fmt::format("input '{}' ({}) is not given", input->name, input->type.ToString()));
      continue;
    }
    const ConstTensor& tensor = found->tensor;
    const ir::Type given = ir::Type::Tensor(input->type.dtype(), tensor.shape);
    if (tensor.dtype != StorageDType(input->type.dtype()) ||
        !ir::IsCompatible(given, input->type)) {
      add(fmt::format("input '{}' takes {}, but is given {} {}", input->name,
                      input->type.ToString(), DTypeName(tensor.dtype),
                      ir::ShapeToString(tensor.shape)));
    }
  }
  for (const BoundInput& given : inputs) {
    const bool known = std::any_of(function.inputs().begin(), function.inputs().end(),
                                   [&](const auto& input) { return input->name == given.name; });
    if (!known) add(fmt::format("the model has no input '{}'", given.name));
    if (FindInput(inputs, given.name) != &given) {
      add(fmt::format("input '{}' is given twice", given.name));
    }
  }
  if (!problems.empty()) return Usage("{}", problems);
  return {};
}

std::vector<BoundInput> BindAll(const std::map<std::string, Tensor>& inputs) {
  std::vector<BoundInput> bound;
  bound.reserve(inputs.size());
  for (const auto& [name, tensor] : inputs) bound.push_back({name, tensor.view()});
  return bound;
}

const BoundInput* FindInput(std::span<const BoundInput> inputs, std::string_view name) {
  for (const BoundInput& input : inputs) {
    if (input.name == name) return &input;
  }
  return nullptr;
}

}  // namespace anemone::exec
