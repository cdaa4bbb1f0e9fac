#include "exec/interpreter.h"

#include <unordered_map>

#include "base/interruption.h"
#include "exec/evaluate.h"
#include "exec/kernel.h"

namespace anemone::exec {
namespace {

Status BindInput(const ir::Value& input, const std::map<std::string, Tensor>& inputs,
                 const RoundingRule& rounding, Interpreter* interpreter) {
  if (input.type.is_state()) return interpreter->BindState(input);
  const auto found = inputs.find(input.name);
  if (found == inputs.end()) return Usage("input '{}' is not given", input.name);
  const ir::Type given = ir::Type::Tensor(input.type.dtype(), found->second.shape());
  if (StorageDType(input.type.dtype()) != found->second.dtype() ||
      !ir::IsCompatible(given, input.type)) {
    return Usage("input '{}' takes {}, but is given {} {}", input.name, input.type.ToString(),
                 DTypeName(found->second.dtype()), ir::ShapeToString(found->second.shape()));
  }
  Tensor tensor = found->second;
  if (rounding.Rounds(input.type.dtype())) {
    ANEMONE_ASSIGN(tensor, Tensor::Copy(found->second.view()));
    RoundToHalf({tensor.As<float>(), static_cast<size_t>(tensor.count())});
  }
  interpreter->Set(input, {.tensor = std::move(tensor)});
  return {};
}

}  // namespace

Status Interpreter::BindState(const ir::Value& input) {
  const ir::Type& type = input.type.elements()[0];
  if (state_ == nullptr) return Usage("input '{}' is a state, but no state is given", input.name);
  const auto found = state_->find(input.name);
  if (found == state_->end()) {
    ANEMONE_ASSIGN((*state_)[input.name], Tensor::FromLiteral(ir::Literal::Zeros(type)));
  } else if (found->second.dtype() != StorageDType(type.dtype()) ||
             found->second.shape() != type.shape()) {
    return Usage("state '{}' is {}, but holds {} {}", input.name, type.ToString(),
                 DTypeName(found->second.dtype()), ir::ShapeToString(found->second.shape()))
        .Advise("use the state that this model made");
  }
  slots_[&input].state = input.name;
  return {};
}

Tensor* Interpreter::FindState(const std::string& name) {
  if (state_ == nullptr) return nullptr;
  const auto found = state_->find(name);
  return found == state_->end() ? nullptr : &found->second;
}

Result<Interpreter::Slot> Interpreter::Get(const ir::Value& value) {
  if (value.is_const()) {
    Slot slot;
    const auto known = constants_.find(&value);
    if (known != constants_.end()) {
      slot.tensor = known->second;
      return slot;
    }
    ANEMONE_ASSIGN(slot.tensor, Tensor::FromLiteral(*value.literal));
    if (depth_ > 0) constants_.emplace(&value, slot.tensor);
    return slot;
  }
  const auto found = slots_.find(&value);
  if (found != slots_.end()) return found->second;
  if (!outer_) return Internal("value '{}' has not been computed", value.name);
  Slot slot;
  ANEMONE_ASSIGN(slot.tensor, outer_(value));
  return slot;
}

Status Interpreter::RunBlock(const ir::Block& block) {
  for (const auto& operation : block.operations()) {
    if (operation->is_const()) continue;
    ANEMONE_TRY(CheckInterrupted());
    ANEMONE_TRY(Run(*operation));
  }
  return {};
}

Status Interpreter::Run(const ir::Operation& operation) {
  Status status = RunOperation(operation);
  if (status.ok()) return status;  // before a text is made, which loops would make in each round
  return std::move(status).At(fmt::format("{} '{}'", operation.type(), operation.name()));
}

Status Interpreter::RunOperation(const ir::Operation& operation) {
  const ir::OpDef* def = operation.def();
  if (def == nullptr) return Unsupported("the operator is not known");
  if (def->traits.run_by == ir::RunBy::kInterpreter) {
    const InterpretFn interpret = FindInterpretFn(def->name);
    if (interpret == nullptr) return Internal("nothing runs the operator");
    return interpret(operation, *this);
  }
  std::vector<EvalInput> inputs;
  for (const ir::Argument& argument : operation.arguments()) {
    EvalInput input{argument.name, {}, {}, {}};
    for (const ir::Value* value : argument.values) {
      if (value->is_const() &&
          (!value->type.is_tensor() || value->type.dtype() == DType::kString)) {
        input.known.push_back(value->literal.get());
        continue;
      }
      ANEMONE_ASSIGN(Slot slot, Get(*value));
      input.tensors.push_back(std::move(slot.tensor));
      input.declared.push_back(value->type.dtype());
    }
    inputs.push_back(std::move(input));
  }
  EvaluateOptions evaluate{.rounding = options_.rounding,
                           .int64_results = operation.has_int64_results()};
  for (const auto& output : operation.outputs()) {
    evaluate.declared.push_back(output->type.is_tensor() ? output->type.dtype() : DType::kInvalid);
  }
  ANEMONE_ASSIGN(auto outputs, EvaluateAs(*def, opset_, inputs, evaluate));
  if (outputs.size() != operation.outputs().size())
    return Internal("the kernel returned {} outputs", outputs.size());
  if (options_.observe) options_.observe(operation, outputs);
  for (size_t i = 0; i < outputs.size(); ++i)
    slots_[operation.output(i)].tensor = std::move(outputs[i]);
  return {};
}

Result<std::vector<Interpreter::Slot>> Interpreter::RunBody(const ir::Block& body,
                                                            const std::vector<Slot>& arguments) {
  for (size_t i = 0; i < body.inputs().size(); ++i) {
    if (i >= arguments.size())
      return InvalidInput("the body takes {} values", body.inputs().size());
    slots_[body.inputs()[i].get()] = arguments[i];
  }
  ++depth_;
  Status status = RunBlock(body);
  --depth_;
  ANEMONE_TRY(std::move(status));
  std::vector<Slot> results;
  for (const ir::Value* output : body.outputs()) {
    ANEMONE_ASSIGN(Slot slot, Get(*output));
    results.push_back(std::move(slot));
  }
  return results;
}

Status Interpreter::SetOutputs(const ir::Operation& operation, std::vector<Slot> results) {
  if (results.size() != operation.outputs().size()) {
    return InvalidInput("the body gives {} values for {} outputs", results.size(),
                        operation.outputs().size());
  }
  for (size_t i = 0; i < results.size(); ++i) slots_[operation.output(i)] = std::move(results[i]);
  return {};
}

Result<std::vector<Tensor>> Interpret(const ir::Function& function,
                                      const std::map<std::string, Tensor>& inputs,
                                      std::map<std::string, Tensor>* state,
                                      const InterpretOptions& options) {
  Interpreter interpreter(function.opset, state, options);
  std::map<std::string, Tensor> before;  // writes replace a state's tensor, and leave this one
  if (state != nullptr) before = *state;
  const auto run = [&]() -> Result<std::vector<Tensor>> {
    for (const auto& input : function.inputs()) {
      ANEMONE_TRY(BindInput(*input, inputs, options.rounding, &interpreter));
    }
    ANEMONE_TRY(interpreter.RunBlock(*function.block));
    std::vector<Tensor> outputs;
    for (const ir::Value* output : function.outputs()) {
      ANEMONE_ASSIGN(Interpreter::Slot slot, interpreter.Get(*output));
      outputs.push_back(std::move(slot.tensor));
    }
    return outputs;
  };
  auto outputs = run();
  if (!outputs.ok() && state != nullptr) *state = std::move(before);
  return std::move(outputs).At(fmt::format("function '{}'", function.name));
}

}  // namespace anemone::exec
