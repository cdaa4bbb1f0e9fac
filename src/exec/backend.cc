#include "exec/backend.h"

#include <array>
#include <cstring>
#include <utility>

namespace anemone::exec {
namespace {

constexpr std::array<std::pair<ComputeUnits, std::string_view>, 4> kComputeUnits{{
    {ComputeUnits::kAll, "all"},
    {ComputeUnits::kCpuOnly, "cpu_only"},
    {ComputeUnits::kCpuAndGpu, "cpu_and_gpu"},
    {ComputeUnits::kCpuAndNe, "cpu_and_ne"},
}};

}  // namespace

std::string_view ComputeUnitsName(ComputeUnits units) {
  for (const auto& [value, name] : kComputeUnits) {
    if (value == units) return name;
  }
  return "unknown";
}

Result<ComputeUnits> ComputeUnitsFromName(std::string_view name) {
  std::string names;
  for (const auto& [value, known] : kComputeUnits) {
    if (known == name) return value;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  return Usage("there are no compute units '{}'", name).Advise("choose one of " + names);
}

Status Session::RunBound(std::span<const BoundInput> inputs, std::span<const BoundOutput> outputs,
                         State* state, const Tracer* tracer) {
  std::map<std::string, Tensor> tensors;
  for (const BoundInput& input : inputs) {
    ANEMONE_ASSIGN(tensors[std::string(input.name)], Tensor::Copy(input.tensor));
  }
  ANEMONE_ASSIGN(const auto results, Run(tensors, state, tracer));
  for (const BoundOutput& output : outputs) {
    const auto found = results.find(std::string(output.name));
    if (found == results.end()) return Usage("there is no output '{}'", output.name);
    const ConstTensor result = found->second.view();
    if (result.dtype != output.tensor.dtype || result.shape != output.tensor.shape) {
      return Usage("output '{}' is {} {}, its memory is bound as {} {}", output.name,
                   DTypeName(result.dtype), ir::ShapeToString(result.shape),
                   DTypeName(output.tensor.dtype), ir::ShapeToString(output.tensor.shape));
    }
    std::memcpy(output.tensor.data, result.data, found->second.size_bytes());
  }
  return {};
}

}  // namespace anemone::exec
