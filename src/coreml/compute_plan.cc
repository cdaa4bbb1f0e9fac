#include "coreml/compute_plan.h"

#include <algorithm>

namespace anemone::coreml {

int64_t ComputePlan::unknown_operations() const {
  return std::count_if(operations.begin(), operations.end(), [](const auto& operation) {
    return operation.planned == ComputeUnit::kUnknown;
  });
}

int64_t ComputePlan::CountPlanned(ComputeUnit unit) const {
  return std::count_if(operations.begin(), operations.end(),
                       [&](const auto& operation) { return operation.planned == unit; });
}

std::optional<double> ComputePlan::OperationShare(ComputeUnit unit) const {
  if (operations.empty() || unknown_operations() > 0) return std::nullopt;
  return static_cast<double>(CountPlanned(unit)) / static_cast<double>(operations.size());
}

std::optional<double> ComputePlan::CostShare(ComputeUnit unit) const {
  double all = 0, here = 0;
  for (const PlannedOperation& operation : operations) {
    if (operation.planned == ComputeUnit::kUnknown || !operation.cost_weight) return std::nullopt;
    all += *operation.cost_weight;
    if (operation.planned == unit) here += *operation.cost_weight;
  }
  if (all <= 0) return std::nullopt;
  return here / all;
}

}  // namespace anemone::coreml
