#include "ops/runtime_values.h"

#include <algorithm>

#include "ir/op_def.h"

namespace anemone::ops {

bool IsUnforeseeable(const ir::Operation* producer) {
  return producer == nullptr || producer->def() == nullptr || producer->def()->impure ||
         !producer->blocks().empty();
}

void RuntimeValues::Visit(const ir::Operation& operation) {
  if (operation.is_const()) return;
  bool runtime = IsUnforeseeable(&operation);
  for (const ir::Argument& argument : operation.arguments()) {
    for (const ir::Value* value : argument.values) runtime = runtime || Holds(*value);
  }
  if (runtime) makers_.insert(&operation);
}

bool RuntimeValues::Among(const ir::Operation& operation, std::string_view param) const {
  const auto& values = operation.Inputs(param);
  return std::any_of(values.begin(), values.end(),
                     [this](const ir::Value* value) { return Holds(*value); });
}

bool RuntimeValues::Holds(const ir::Value& value) const {
  if (value.is_const()) return false;
  return value.producer == nullptr || makers_.contains(value.producer);
}

}  // namespace anemone::ops
