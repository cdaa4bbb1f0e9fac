// What Core ML plans for each operation (MLComputePlan, macOS 14.4, iOS 17.4): a plan, not a record
// of what ran where. No public API observes that, so nothing here may be reported as "ran on".
// Constants have no unit and are left out.
//
// Values. Thread rules: pure functions; loading a plan waits for one of Core ML's threads, at most
// until its timeout.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/compute_unit.h"
#include "base/status.h"
#include "exec/backend.h"
#include "ir/model.h"

namespace anemone::coreml {

struct PlannedOperation {
  std::string type;    // "ios17.conv"
  std::string output;  // name of its first output
  // kUnknown when Core ML says nothing, which does not mean the CPU (it says nothing about any
  // operation of some packages with an old deployment target).
  ComputeUnit planned = ComputeUnit::kUnknown;
  std::vector<ComputeUnit> supported;  // empty when unknown
  std::optional<double> cost_weight;   // estimated share of the model's cost, 0 ... 1
};

struct ComputePlan {
  std::vector<PlannedOperation> operations;  // bodies of control flow after their operation
  int64_t const_operations = 0;              // left out

  int64_t unknown_operations() const;
  int64_t CountPlanned(ComputeUnit unit) const;
  // Share of the operations, and of the estimated cost, planned on `unit`. Nullopt when that is
  // unknown for any operation, or there are no operations.
  std::optional<double> OperationShare(ComputeUnit unit) const;
  std::optional<double> CostShare(ComputeUnit unit) const;
};

// The plan for one function. Errors: kUnavailable without Core ML or on an older system, kTimeout,
// and exec::Failure.
Result<ComputePlan> LoadComputePlan(std::shared_ptr<const ir::Model> model,
                                    const exec::LoadOptions& options,
                                    std::chrono::nanoseconds timeout);

}  // namespace anemone::coreml
