#include "ir/runtime_values.h"

#include <algorithm>
#include <vector>

namespace anemone::ir {

namespace {

// Whether a value's maker tells nothing of it before the run: none (an input), an unknown operator,
// or one whose result does not follow from its arguments alone.
bool IsUnforeseeable(const Operation* producer) {
  return producer == nullptr || producer->def() == nullptr || !producer->def()->pure();
}

}  // namespace

bool IsConstantArg(const OpArgs& args, std::string_view param) {
  if (args.ValueOf(param) != nullptr || args.operation() == nullptr) return true;
  const std::vector<Value*>& given = args.operation()->Inputs(param);
  std::vector<const Value*> pending(given.begin(), given.end());
  std::unordered_set<const Operation*> seen;
  while (!pending.empty()) {
    const Value* value = pending.back();
    pending.pop_back();
    if (value->is_const()) continue;
    const Operation* producer = value->producer;
    if (IsUnforeseeable(producer)) return false;
    if (!seen.insert(producer).second) continue;
    for (const Argument& argument : producer->arguments()) {
      pending.insert(pending.end(), argument.values.begin(), argument.values.end());
    }
  }
  return true;
}

void RuntimeValues::Visit(const Operation& operation) {
  if (operation.is_const()) return;
  bool runtime = IsUnforeseeable(&operation);
  for (const Argument& argument : operation.arguments()) {
    for (const Value* value : argument.values) runtime = runtime || Holds(*value);
  }
  if (runtime) makers_.insert(&operation);
}

bool RuntimeValues::Among(const Operation& operation, std::string_view param) const {
  const auto& values = operation.Inputs(param);
  return std::any_of(values.begin(), values.end(),
                     [this](const Value* value) { return Holds(*value); });
}

bool RuntimeValues::Holds(const Value& value) const {
  if (value.is_const()) return false;
  return value.producer == nullptr || makers_.contains(value.producer);
}

}  // namespace anemone::ir
