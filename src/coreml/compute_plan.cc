#include "coreml/compute_plan.h"

#include <algorithm>

namespace anemone::coreml {

std::string_view DeviceName(Device device) {
  switch (device) {
    case Device::kCpu:
      return "cpu";
    case Device::kGpu:
      return "gpu";
    case Device::kNeuralEngine:
      return "neural_engine";
  }
  return "unknown";
}

int64_t ComputePlan::unknown_operations() const {
  return std::count_if(operations.begin(), operations.end(),
                       [](const auto& operation) { return !operation.planned.has_value(); });
}

int64_t ComputePlan::CountPlanned(Device device) const {
  return std::count_if(operations.begin(), operations.end(),
                       [&](const auto& operation) { return operation.planned == device; });
}

std::optional<double> ComputePlan::OperationShare(Device device) const {
  if (operations.empty() || unknown_operations() > 0) return std::nullopt;
  return static_cast<double>(CountPlanned(device)) / static_cast<double>(operations.size());
}

std::optional<double> ComputePlan::CostShare(Device device) const {
  double all = 0, here = 0;
  for (const PlannedOperation& operation : operations) {
    if (!operation.planned || !operation.cost_weight) return std::nullopt;
    all += *operation.cost_weight;
    if (operation.planned == device) here += *operation.cost_weight;
  }
  if (all <= 0) return std::nullopt;
  return here / all;
}

}  // namespace anemone::coreml
