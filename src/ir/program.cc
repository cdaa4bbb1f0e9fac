#include "ir/program.h"

#include <algorithm>

#include "ir/op_def.h"

namespace anemone::ir {

bool Value::is_stored() const {
  return is_const() || (producer != nullptr && producer->is_constexpr());
}

bool Operation::is_constexpr() const {
  return def_ != nullptr ? def_->constexpr_op : type_.starts_with("constexpr_");
}

Value* Operation::Input(std::string_view parameter) const {
  const auto& values = Inputs(parameter);
  return values.empty() ? nullptr : values[0];
}

const std::vector<Value*>& Operation::Inputs(std::string_view parameter) const {
  static const std::vector<Value*> kNone;
  for (const Argument& argument : arguments_) {
    if (argument.name == parameter) return argument.values;
  }
  return kNone;
}

void Operation::SetInput(std::string_view parameter, Value* value) {
  SetInputs(parameter, {value});
}

void Operation::SetInputs(std::string_view parameter, std::vector<Value*> values) {
  for (Argument& argument : arguments_) {
    if (argument.name == parameter) {
      argument.values = std::move(values);
      return;
    }
  }
  arguments_.push_back({std::string(parameter), std::move(values)});
}

void Operation::RemoveInput(std::string_view parameter) {
  std::erase_if(arguments_, [&](const Argument& argument) { return argument.name == parameter; });
}

Value* Operation::AddOutput(std::string name, Type type) {
  outputs_.push_back(
      std::make_unique<Value>(Value{std::move(name), std::move(type), this, nullptr}));
  return outputs_.back().get();
}

Block* Operation::AddBlock() {
  blocks_.push_back(std::make_unique<Block>());
  blocks_.back()->owner_ = this;
  return blocks_.back().get();
}

std::string Operation::name() const {
  const auto found = attributes_.find("name");
  if (found != attributes_.end()) {
    if (auto text = found->second.AsString()) return *text;
  }
  return outputs_.empty() ? type_ : outputs_[0]->name;
}

void Operation::MarkInt64Results() {
  if (def_ == nullptr || !def_->integers_grow) return;
  const auto is_int32 = [](const auto& output) {
    return output->type.is_tensor() && output->type.dtype() == DType::kInt32;
  };
  if (std::ranges::any_of(outputs_, is_int32)) attributes_[kInt64Results] = Literal::Bool(true);
}

Value* Block::AddInput(std::string name, Type type) {
  inputs_.push_back(
      std::make_unique<Value>(Value{std::move(name), std::move(type), nullptr, nullptr}));
  return inputs_.back().get();
}

Operation* Block::Insert(std::unique_ptr<Operation> operation, size_t index) {
  operation->parent_ = this;
  Operation* raw = operation.get();
  const size_t at = std::min(index, operations_.size());
  operations_.insert(operations_.begin() + static_cast<std::ptrdiff_t>(at), std::move(operation));
  return raw;
}

Function* Program::Find(std::string_view name) const {
  for (const auto& function : functions) {
    if (function->name == name) return function.get();
  }
  return nullptr;
}

Function* Program::main() const {
  if (Function* found = Find("main")) return found;
  return functions.size() == 1 ? functions[0].get() : nullptr;
}

namespace {

template <typename Visitor>
void ForEachBlock(Block& block, const Visitor& visit) {
  visit(block);
  for (const auto& operation : block.operations()) {
    for (const auto& inner : operation->blocks()) ForEachBlock(*inner, visit);
  }
}

}  // namespace

UseMap FindUses(const Function& function) {
  UseMap uses;
  ForEachBlock(*function.block, [&](Block& block) {
    for (const auto& operation : block.operations()) {
      const auto& arguments = operation->arguments();
      for (size_t a = 0; a < arguments.size(); ++a) {
        for (size_t i = 0; i < arguments[a].values.size(); ++i) {
          uses[arguments[a].values[i]].push_back({operation.get(), &block, a, i});
        }
      }
    }
    for (size_t i = 0; i < block.outputs().size(); ++i)
      uses[block.outputs()[i]].push_back({nullptr, &block, 0, i});
  });
  return uses;
}

void ReplaceUses(Function& function, const std::unordered_map<const Value*, Value*>& replacements) {
  if (replacements.empty()) return;
  const auto resolve = [&](Value*& value) {
    for (auto found = replacements.find(value); found != replacements.end();
         found = replacements.find(value)) {
      value = found->second;
    }
  };
  ForEachBlock(*function.block, [&](Block& block) {
    for (const auto& operation : block.operations()) {
      for (Argument& argument : operation->arguments()) {
        for (Value*& value : argument.values) resolve(value);
      }
    }
    for (Value*& value : block.outputs()) resolve(value);
  });
}

namespace {

using ValueMap = std::unordered_map<const Value*, Value*>;

void CloneBlock(const Block& from, Block& to, ValueMap& map) {
  for (const auto& input : from.inputs()) map[input.get()] = to.AddInput(input->name, input->type);
  for (const auto& operation : from.operations()) {
    auto copy = std::make_unique<Operation>(operation->type(), operation->def());
    copy->attributes() = operation->attributes();
    for (const Argument& argument : operation->arguments()) {
      std::vector<Value*> values;
      values.reserve(argument.values.size());
      for (const Value* value : argument.values) values.push_back(map.at(value));
      copy->arguments().push_back({argument.name, std::move(values)});
    }
    for (const auto& inner : operation->blocks()) CloneBlock(*inner, *copy->AddBlock(), map);
    for (const auto& output : operation->outputs()) {
      Value* value = copy->AddOutput(output->name, output->type);
      value->literal = output->literal;
      map[output.get()] = value;
    }
    to.Insert(std::move(copy));
  }
  for (const Value* output : from.outputs()) to.outputs().push_back(map.at(output));
}

}  // namespace

Program Clone(const Program& program) {
  Program copy;
  copy.version = program.version;
  copy.attributes = program.attributes;
  for (const auto& function : program.functions) {
    auto twin = std::make_unique<Function>();
    twin->name = function->name;
    twin->opset = function->opset;
    twin->attributes = function->attributes;
    ValueMap map;
    CloneBlock(*function->block, *twin->block, map);
    copy.functions.push_back(std::move(twin));
  }
  return copy;
}

}  // namespace anemone::ir
