#include "ir/arithmetic.h"

#include <vector>

#include "ir/op_def.h"

namespace anemone::ir {

std::optional<int64_t> FlopsOf(const Operation& operation, Opset opset) {
  if (operation.def() == nullptr) return std::nullopt;
  std::vector<Type> outputs;
  for (const auto& output : operation.outputs()) {
    if (!output->type.is_static()) return std::nullopt;
    outputs.push_back(output->type);
  }
  if (operation.def()->cost != nullptr)
    return operation.def()->cost(OpArgs(operation, opset), outputs).flops;
  return outputs.empty() ? 0 : outputs[0].element_count();
}

}  // namespace anemone::ir
