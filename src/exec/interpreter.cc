#include "exec/interpreter.h"

#include <cstring>
#include <unordered_map>

#include "exec/kernel.h"

namespace anemone::exec {
namespace {

// Stacks equal tensors along a new first dimension.
Result<Tensor> Stack(const std::vector<const Tensor*>& parts, DType dtype, Shape element_shape) {
  Shape shape = std::move(element_shape);
  shape.insert(shape.begin(), static_cast<int64_t>(parts.size()));
  ANEMONE_ASSIGN(Tensor stacked, Tensor::Allocate(dtype, shape));
  size_t offset = 0;
  for (const Tensor* part : parts) {
    if (offset + part->size_bytes() > stacked.size_bytes())
      return InvalidInput("the elements differ in shape");
    std::memcpy(stacked.As<std::byte>() + offset, part->As<std::byte>(), part->size_bytes());
    offset += part->size_bytes();
  }
  return stacked;
}

// Element `index` along the first dimension.
Result<Tensor> Row(const Tensor& tensor, int64_t index) {
  Shape shape(tensor.shape().begin() + 1, tensor.shape().end());
  ANEMONE_ASSIGN(Tensor row, Tensor::Allocate(tensor.dtype(), shape));
  std::memcpy(row.As<std::byte>(), tensor.As<std::byte>() + index * row.size_bytes(),
              row.size_bytes());
  return row;
}

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
  if (!state_->contains(input.name)) {
    ANEMONE_ASSIGN((*state_)[input.name], Tensor::FromLiteral(ir::Literal::Zeros(type)));
  }
  slots_[&input].state = input.name;
  return {};
}

Result<Interpreter::Slot> Interpreter::Get(const ir::Value& value) {
  if (value.is_const()) {
    Slot slot;
    ANEMONE_ASSIGN(slot.tensor, Tensor::FromLiteral(*value.literal));
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
    ANEMONE_TRY(Run(*operation));
  }
  return {};
}

Status Interpreter::Run(const ir::Operation& operation) {
  return RunOperation(operation).At(fmt::format("{} '{}'", operation.type(), operation.name()));
}

Status Interpreter::RunOperation(const ir::Operation& operation) {
  const std::string& type = operation.type();
  if (type == "cond") return RunCond(operation);
  if (type == "while_loop") return RunWhile(operation);
  if (type == "read_state" || type == "coreml_update_state" || type == "write_state")
    return RunState(operation);
  if (type.starts_with("list_") || type == "make_list") return RunList(operation);
  if (operation.def() == nullptr) return Unsupported("the operator is not known");
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
  ANEMONE_ASSIGN(auto outputs, Evaluate(*operation.def(), opset_, inputs, options_.rounding));
  if (outputs.size() != operation.outputs().size())
    return Internal("the kernel returned {} outputs", outputs.size());
  if (options_.observe) options_.observe(operation, outputs);
  for (size_t i = 0; i < outputs.size(); ++i)
    slots_[operation.output(i)].tensor = std::move(outputs[i]);
  return {};
}

Status Interpreter::RunInner(const ir::Block& block, const std::vector<Slot>& arguments,
                             std::vector<Slot>* results) {
  for (size_t i = 0; i < block.inputs().size(); ++i) {
    if (i >= arguments.size())
      return InvalidInput("the body takes {} values", block.inputs().size());
    slots_[block.inputs()[i].get()] = arguments[i];
  }
  ANEMONE_TRY(RunBlock(block));
  results->clear();
  for (const ir::Value* output : block.outputs()) {
    ANEMONE_ASSIGN(Slot slot, Get(*output));
    results->push_back(std::move(slot));
  }
  return {};
}

Status Interpreter::Store(const ir::Operation& operation, std::vector<Slot> results) {
  if (results.size() != operation.outputs().size()) {
    return InvalidInput("the body returns {} values for {} outputs", results.size(),
                        operation.outputs().size());
  }
  for (size_t i = 0; i < results.size(); ++i) slots_[operation.output(i)] = std::move(results[i]);
  return {};
}

Status Interpreter::RunCond(const ir::Operation& operation) {
  const ir::Value* pred = operation.Input("pred");
  if (pred == nullptr || operation.blocks().size() != 2)
    return InvalidInput("cond takes pred and two bodies");
  ANEMONE_ASSIGN(const Slot slot, Get(*pred));
  const bool taken = slot.tensor.count() > 0 && slot.tensor.As<uint8_t>()[0] != 0;
  std::vector<Slot> results;
  ANEMONE_TRY(RunInner(*operation.blocks()[taken ? 0 : 1], {}, &results));
  return Store(operation, std::move(results));
}

Status Interpreter::RunWhile(const ir::Operation& operation) {
  if (operation.blocks().size() != 2)
    return InvalidInput("while_loop takes a condition and a body");
  std::vector<Slot> variables;
  for (const ir::Value* value : operation.Inputs("loop_vars")) {
    ANEMONE_ASSIGN(Slot slot, Get(*value));
    variables.push_back(std::move(slot));
  }
  for (int64_t round = 0;; ++round) {
    if (round >= options_.max_loop_rounds)
      return InvalidInput("the loop did not end after {} rounds", round);
    std::vector<Slot> condition;
    ANEMONE_TRY(RunInner(*operation.blocks()[0], variables, &condition));
    if (condition.size() != 1) return InvalidInput("a loop's condition must return one bool");
    if (condition[0].tensor.As<uint8_t>()[0] == 0) break;
    std::vector<Slot> next;
    ANEMONE_TRY(RunInner(*operation.blocks()[1], variables, &next));
    variables = std::move(next);
  }
  return Store(operation, std::move(variables));
}

Status Interpreter::RunState(const ir::Operation& operation) {
  const bool read = operation.type() == "read_state";
  const ir::Value* handle = operation.Input("input");
  const ir::Value* value = read ? nullptr : operation.Input("data");
  if (handle == nullptr || (!read && value == nullptr))
    return InvalidInput("an argument is missing");
  ANEMONE_ASSIGN(const Slot slot, Get(*handle));
  if (state_ == nullptr || !state_->contains(slot.state))
    return Internal("'{}' is not a state", handle->name);
  Slot result;
  if (!read) {
    ANEMONE_ASSIGN(const Slot written, Get(*value));
    ANEMONE_ASSIGN((*state_)[slot.state], Tensor::Copy(written.tensor.view()));
  }
  ANEMONE_ASSIGN(result.tensor, Tensor::Copy((*state_)[slot.state].view()));
  if (!operation.outputs().empty()) slots_[operation.output()] = std::move(result);
  return {};
}

Result<int64_t> Interpreter::Index(const ir::Operation& operation, std::string_view param,
                                   size_t size) {
  const ir::Value* value = operation.Input(param);
  if (value == nullptr) return InvalidInput("parameter '{}' is missing", param);
  ANEMONE_ASSIGN(const Slot slot, Get(*value));
  int64_t index = slot.tensor.As<int32_t>()[0];
  if (index < 0) index += static_cast<int64_t>(size);
  if (index < 0 || index >= static_cast<int64_t>(size)) {
    return InvalidInput("index {} is outside the list of {} elements", index, size);
  }
  return index;
}

// The contents of a list element that was never written: zeros, or a tensor without a dtype when
// the shape of the elements is not known.
Result<Tensor> BlankElement(const ir::Type& element) {
  if (!element.is_static()) return Tensor();
  return Tensor::FromLiteral(ir::Literal::Zeros(element));
}

Status Interpreter::RunList(const ir::Operation& operation) {
  Slot result;
  const std::string& type = operation.type();
  if (type == "make_list") {
    const ir::Type& element = operation.output()->type.elements()[0];
    // Files declare an initial length for growing lists too; only the argument tells the two apart.
    ANEMONE_ASSIGN(result.grows, ir::OpArgs(operation, opset_).Bool("dynamic_length"));
    int64_t length = 1;
    if (const ir::Value* init = operation.Input("init_length")) {
      ANEMONE_ASSIGN(const Slot slot, Get(*init));
      length = slot.tensor.As<int32_t>()[0];
    }
    if (length < 0 || length > 1'000'000)
      return InvalidInput("a list cannot have {} elements", length);
    ANEMONE_ASSIGN(const Tensor blank, BlankElement(element));
    result.list.assign(static_cast<size_t>(length), blank);
    slots_[operation.output()] = std::move(result);
    return {};
  }
  const ir::Value* handle = operation.Input("ls");
  if (handle == nullptr) return InvalidInput("parameter 'ls' is missing");
  ANEMONE_ASSIGN(Slot list, Get(*handle));
  if (type == "list_length") {
    ANEMONE_ASSIGN(result.tensor,
                   Tensor::FromLiteral(ir::Literal::Int32(static_cast<int32_t>(list.list.size()))));
  } else if (type == "list_read") {
    ANEMONE_ASSIGN(const int64_t index, Index(operation, "index", list.list.size()));
    result.tensor = list.list[static_cast<size_t>(index)];
    if (result.tensor.dtype() == DType::kInvalid)
      return InvalidInput("element {} was never written", index);
  } else if (type == "list_gather") {
    ANEMONE_ASSIGN(const Slot indices, Get(*operation.Input("indices")));
    std::vector<const Tensor*> parts;
    for (int64_t i = 0; i < indices.tensor.count(); ++i) {
      int64_t index = indices.tensor.As<int32_t>()[i];
      if (index < 0) index += static_cast<int64_t>(list.list.size());
      if (index < 0 || index >= static_cast<int64_t>(list.list.size())) {
        return InvalidInput("index {} is outside the list of {} elements", index, list.list.size());
      }
      parts.push_back(&list.list[static_cast<size_t>(index)]);
      if (parts.back()->dtype() == DType::kInvalid || parts.back()->shape() != parts[0]->shape()) {
        return InvalidInput("element {} was never written, or its shape differs", index);
      }
    }
    if (parts.empty()) return InvalidInput("no index was given");
    ANEMONE_ASSIGN(result.tensor, Stack(parts, parts[0]->dtype(), parts[0]->shape()));
  } else if (type == "list_write" || type == "list_scatter") {
    ANEMONE_ASSIGN(const Slot value, Get(*operation.Input("value")));
    ANEMONE_ASSIGN(const Slot where,
                   Get(*operation.Input(type == "list_write" ? "index" : "indices")));
    result.list = std::move(list.list);
    result.grows = list.grows;
    for (int64_t i = 0; i < where.tensor.count(); ++i) {
      const int64_t index = where.tensor.As<int32_t>()[i];
      if (index < 0 || index > 1'000'000)
        return InvalidInput("index {} is not a valid list index", index);
      // A list of dynamic length grows to hold the index.
      if (index >= static_cast<int64_t>(result.list.size())) {
        if (!result.grows) return InvalidInput("index {} is past the list's end", index);
        ANEMONE_ASSIGN(const Tensor blank, BlankElement(operation.output()->type.elements()[0]));
        result.list.resize(static_cast<size_t>(index) + 1, blank);
      }
      if (type == "list_write") {
        ANEMONE_ASSIGN(result.list[static_cast<size_t>(index)], Tensor::Copy(value.tensor.view()));
      } else {
        ANEMONE_ASSIGN(result.list[static_cast<size_t>(index)], Row(value.tensor, i));
      }
    }
  } else {
    return Unsupported("the operator is not known");
  }
  slots_[operation.output()] = std::move(result);
  return {};
}

Result<std::vector<Tensor>> Interpret(const ir::Function& function,
                                      const std::map<std::string, Tensor>& inputs,
                                      std::map<std::string, Tensor>* state,
                                      const InterpretOptions& options) {
  Interpreter interpreter(function.opset, state, options);
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
  return run().At(fmt::format("function '{}'", function.name));
}

}  // namespace anemone::exec
