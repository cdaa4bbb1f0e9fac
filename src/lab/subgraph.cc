#include "lab/subgraph.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace anemone::lab {
namespace {

// Every value that the operation takes, those of its bodies included.
template <typename Visit>
void ForEachInput(const ir::Operation& operation, Visit&& visit) {
  for (const ir::Argument& argument : operation.arguments())
    for (const ir::Value* value : argument.values) visit(value);
  for (const auto& block : operation.blocks()) {
    for (const auto& inner : block->operations()) ForEachInput(*inner, visit);
    for (const ir::Value* value : block->outputs()) visit(value);
  }
}

using ValueMap = std::unordered_map<const ir::Value*, ir::Value*>;

void CopyOperation(const ir::Operation& from, ir::Block& to, ValueMap& map) {
  auto copy = std::make_unique<ir::Operation>(from.type(), from.def());
  copy->attributes() = from.attributes();
  for (const ir::Argument& argument : from.arguments()) {
    std::vector<ir::Value*> values;
    for (const ir::Value* value : argument.values) values.push_back(map.at(value));
    copy->arguments().push_back({argument.name, std::move(values)});
  }
  for (const auto& inner : from.blocks()) {
    ir::Block& body = *copy->AddBlock();
    for (const auto& input : inner->inputs())
      map[input.get()] = body.AddInput(input->name, input->type);
    for (const auto& operation : inner->operations()) CopyOperation(*operation, body, map);
    for (const ir::Value* output : inner->outputs()) body.outputs().push_back(map.at(output));
  }
  for (const auto& output : from.outputs()) {
    ir::Value* value = copy->AddOutput(output->name, output->type);
    value->literal = output->literal;
    map[output.get()] = value;
  }
  to.Insert(std::move(copy));
}

}  // namespace

ir::Model CloneModel(const ir::Model& model) {
  ir::Model copy;
  copy.spec_version = model.spec_version;
  copy.metadata = model.metadata;
  copy.functions = model.functions;
  copy.multi_function = model.multi_function;
  copy.default_function = model.default_function;
  copy.program = ir::Clone(model.program);
  return copy;
}

OperationOrder::OperationOrder(const ir::Function& function) : function_(&function) {
  std::unordered_map<const ir::Value*, size_t> index;
  const auto add = [&](const ir::Value* value, size_t made) {
    index[value] = spans_.size();
    spans_.push_back({value, made, 0});
  };
  for (const auto& input : function.inputs()) add(input.get(), SIZE_MAX);
  for (const auto& operation : function.block->operations()) {
    if (operation->is_const()) continue;
    const size_t at = operations_.size();
    operations_.push_back(operation.get());
    ForEachInput(*operation, [&](const ir::Value* value) {
      const auto found = index.find(value);
      if (found != index.end()) spans_[found->second].last = at;
    });
    for (const auto& output : operation->outputs()) add(output.get(), at);
  }
  for (const ir::Value* output : function.outputs()) {
    const auto found = index.find(output);
    if (found != index.end()) spans_[found->second].last = operations_.size();
  }
}

std::vector<const ir::Value*> OperationOrder::LiveBefore(size_t index) const {
  std::vector<const ir::Value*> live;
  for (const Span& span : spans_) {
    const bool made = span.made == SIZE_MAX || span.made < index;
    // An unused input has last == 0, like one that only the first operation takes.
    if (made && span.last >= index) live.push_back(span.value);
  }
  return live;
}

Result<Subgraph> Extract(const OperationOrder& order, size_t begin, size_t end) {
  const ir::Function& source = order.function();
  for (const auto& input : source.inputs()) {
    if (input->type.is_state())
      return Unsupported("the function '{}' has states", source.name)
          .Advise("models with states can only be measured as a whole");
  }
  std::unordered_set<const ir::Operation*> kept;
  for (size_t i = begin; i < end; ++i) kept.insert(&order.at(i));
  std::unordered_set<const ir::Value*> needed;
  for (const ir::Operation* operation : kept)
    ForEachInput(*operation, [&](const ir::Value* value) { needed.insert(value); });
  std::unordered_set<const ir::Value*> wanted;
  for (const ir::Value* value : order.LiveBefore(end)) {
    if (value->producer != nullptr && kept.contains(value->producer)) wanted.insert(value);
  }
  ir::Program program;
  program.functions.push_back(std::make_unique<ir::Function>());
  ir::Function& copy = *program.functions[0];
  copy.name = "main";
  copy.opset = source.opset;
  Subgraph subgraph;
  ValueMap map;
  const auto take = [&](const ir::Value* value) {
    if (!needed.contains(value)) return;
    map[value] = copy.block->AddInput(value->name, value->type);
    subgraph.inputs.push_back(value->name);
  };
  for (const auto& input : source.inputs()) take(input.get());
  for (const auto& operation : source.block->operations()) {
    const bool constant = operation->is_const();
    if (constant ? needed.contains(operation->output()) : kept.contains(operation.get())) {
      CopyOperation(*operation, *copy.block, map);
      continue;
    }
    if (constant) continue;
    for (const auto& output : operation->outputs()) take(output.get());
  }
  for (size_t i = begin; i < end; ++i) {
    for (const auto& output : order.at(i).outputs()) {
      if (!wanted.contains(output.get())) continue;
      copy.block->outputs().push_back(map.at(output.get()));
      subgraph.outputs.push_back(output->name);
    }
  }
  // No description: values of any type may cross the boundary, and this model is never written.
  subgraph.model = std::make_shared<ir::Model>();
  subgraph.model->program = std::move(program);
  subgraph.model->spec_version = ir::SpecVersionOf(source.opset);
  return subgraph;
}

}  // namespace anemone::lab
