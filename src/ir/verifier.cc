#include "ir/verifier.h"

#include <unordered_set>

namespace anemone::ir {
namespace {

class Checker {
 public:
  explicit Checker(const Function& function) : function_(function) {}

  // `defined` holds the visible values: those of the enclosing blocks and the earlier ones of
  // this block.
  Status Check(const Block& block, std::unordered_set<const Value*> defined) {
    for (const auto& input : block.inputs()) {
      ANEMONE_TRY(Define(*input));
      defined.insert(input.get());
    }
    for (const auto& operation : block.operations()) {
      const std::string place = fmt::format("{} '{}'", operation->type(), operation->name());
      ANEMONE_TRY(CheckOperation(*operation, defined).At(place));
      for (const auto& output : operation->outputs()) {
        ANEMONE_TRY(Define(*output).At(place));
        defined.insert(output.get());
      }
    }
    for (const Value* output : block.outputs()) {
      if (output == nullptr) return InvalidInput("an output of the block is missing");
      if (!defined.contains(output))
        return InvalidInput("output '{}' is not defined in the block", output->name);
    }
    return {};
  }

 private:
  Status Define(const Value& value) {
    if (value.name.empty()) return InvalidInput("a value has no name");
    if (!names_.insert(value.name).second)
      return InvalidInput("the name '{}' is defined twice", value.name);
    return {};
  }

  Status CheckOperation(const Operation& operation,
                        const std::unordered_set<const Value*>& defined) {
    for (const Argument& argument : operation.arguments()) {
      for (const Value* value : argument.values) {
        if (value == nullptr)
          return InvalidInput("argument '{}' is missing its value", argument.name);
        if (!defined.contains(value)) {
          return InvalidInput("argument '{}' uses '{}' before it is defined", argument.name,
                              value->name);
        }
      }
    }
    if (operation.is_const()) {
      if (operation.outputs().size() != 1) return InvalidInput("a const must have one output");
      const Value& value = *operation.output();
      if (!value.literal) return InvalidInput("a const needs a value");
      if (!(value.literal->type() == value.type)) {
        return InvalidInput("the value of type {} is declared {}", value.literal->type().ToString(),
                            value.type.ToString());
      }
      return {};
    }
    for (const auto& block : operation.blocks()) ANEMONE_TRY(Check(*block, defined));
    if (operation.def() == nullptr) return {};
    std::vector<Type> types;
    ANEMONE_TRY(InferOperation(operation, function_.opset, &types));
    if (types.size() != operation.outputs().size()) {
      return InvalidInput("{} outputs are declared, but the operator has {}",
                          operation.outputs().size(), types.size());
    }
    for (size_t i = 0; i < types.size(); ++i) {
      const Value& output = *operation.output(i);
      if (!IsCompatible(types[i], output.type)) {
        return InvalidInput("output '{}' is declared {}, but inference gives {}", output.name,
                            output.type.ToString(), types[i].ToString());
      }
    }
    return {};
  }

  const Function& function_;
  std::unordered_set<std::string> names_;
};

}  // namespace

Status InferOperation(const Operation& operation, Opset opset, std::vector<Type>* outputs) {
  if (operation.def() == nullptr) {
    return Unsupported("the operator {} is not known", operation.type());
  }
  return InferTypes(OpArgs(operation, opset), outputs);
}

Status Verify(const Function& function) {
  return Checker(function)
      .Check(*function.block, {})
      .At(fmt::format("function '{}'", function.name));
}

Status Verify(const Program& program) {
  std::unordered_set<std::string> names;
  for (const auto& function : program.functions) {
    if (!names.insert(function->name).second)
      return InvalidInput("two functions are named '{}'", function->name);
    ANEMONE_TRY(Verify(*function));
  }
  return {};
}

}  // namespace anemone::ir
