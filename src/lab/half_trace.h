// HalfTrace: runs a program operator by operator in float32 and with every result rounded to half,
// and tells for each operator how large its values are and how much error it adds.
//
// An operator's own error is what rounding does to it alone. Its float16 result from float32
// inputs is not available, so the error is inferred from how much it grows between the operator's
// inputs and its outputs. Thread rules: pure; uses the backend's threads. Errors: those of running
// a model.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "ir/model.h"
#include "lab/verify.h"

namespace anemone::lab {

// One operator, the worst over all inputs.
struct OperatorFidelity {
  std::string name;
  std::string type;
  std::string value;         // the name of its first output in the program
  double largest = 0;        // |x| in float32; infinite when an element is
  int64_t overflowing = 0;   // elements beyond 65504 in float32, or infinite in float16 only
  int64_t not_a_number = 0;  // in float32 or float16
  double error = 0;          // RMS of the difference, divided by the RMS in float32
  double added = 0;          // the part that its inputs do not explain
};

// In execution order. `model` must compute in float32; `function` may be empty. The float32 values
// of one sample at a time are in memory.
Result<std::vector<OperatorFidelity>> TraceHalf(const exec::Backend& backend,
                                                std::shared_ptr<const ir::Model> model,
                                                const std::string& function,
                                                std::span<const Inputs> samples, int threads);

}  // namespace anemone::lab
