#include "exec/backend.h"

#include <cstring>

namespace anemone::exec {
Error WrongBinding(const BoundOutput& bound, const ConstTensor& result) {
  return Usage("output '{}' is {} {}, but its memory is bound as {} {}", bound.name,
               DTypeName(result.dtype), ir::ShapeToString(result.shape),
               DTypeName(bound.tensor.dtype), ir::ShapeToString(bound.tensor.shape));
}

Status CopyToBinding(const Tensor& result, const BoundOutput& bound) {
  const ConstTensor view = result.view();
  if (view.dtype != bound.tensor.dtype || view.shape != bound.tensor.shape) {
    return WrongBinding(bound, view);
  }
  std::memcpy(bound.tensor.data, view.data, result.size_bytes());
  return {};
}

Status Executable::RunBound(std::span<const BoundInput> inputs,
                            std::span<const BoundOutput> outputs, State* state,
                            const Tracer* tracer) {
  std::map<std::string, Tensor> tensors;
  for (const BoundInput& input : inputs) {
    ANEMONE_ASSIGN(tensors[std::string(input.name)], Tensor::Copy(input.tensor));
  }
  ANEMONE_ASSIGN(const auto results, Run(tensors, state, tracer));
  for (const BoundOutput& output : outputs) {
    const auto found = results.find(std::string(output.name));
    if (found == results.end()) return Usage("the model has no output '{}'", output.name);
    ANEMONE_TRY(CopyToBinding(found->second, output));
  }
  return {};
}

Result<std::vector<PlannedOperation>> Backend::Plan(std::shared_ptr<const ir::Model>,
                                                    const LoadOptions&, int64_t) const {
  return Unavailable("the {} backend does not plan compute units", name());
}

}  // namespace anemone::exec
