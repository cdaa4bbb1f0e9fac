// Fidelity: what half precision does to a model. Runs it operator by operator in float32 and in
// float16 on the same inputs, and finds the first operator that leaves half's range (|x| > 65504),
// the first NaN, the operators that add most of the error, and the smallest list to keep in float32
// that brings the outputs back within limits. The list is tested, not guessed.
//
// An operator's own error is what rounding does to it alone. Its float16 result from float32
// inputs is not available, so the error is inferred from how much it grows between the operator's
// inputs and its outputs. Thread rules: pure; uses the backend's threads. Errors: those of running
// a model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "ir/model.h"
#include "lab/manifest.h"
#include "lab/samples.h"

namespace anemone::lab {

// One operator, the worst over all inputs.
struct OperatorFidelity {
  std::string name;
  std::string type;
  double largest = 0;        // |x| in float32; infinite when an element is
  int64_t overflowing = 0;   // elements beyond 65504 in float32, or infinite in float16 only
  int64_t not_a_number = 0;  // in float32 or float16
  double error = 0;          // RMS of the difference, divided by the RMS in float32
  double added = 0;          // the part that its inputs do not explain
};

struct Fidelity {
  std::string inputs;                       // Samples::description
  std::vector<OperatorFidelity> operators;  // in execution order
  // Names of the first operators, empty when there are none.
  std::string first_overflow;
  std::string first_not_a_number;
  std::vector<std::string> dominant;  // by added error, largest first
  // The outputs in float16 beside float32.
  std::vector<OutputParity> outputs;
  bool passed = false;
  // The patterns for --keep-float32 (they match names in full); empty when the model passes, or
  // when nothing helped.
  std::vector<std::string> keep_float32;
  // The outputs with that list.
  std::vector<OutputParity> kept_outputs;
  bool kept_passed = false;
};

struct FidelityOptions {
  int threads = 0;
  ParityLimits limits = kFp16Limits;
  size_t max_dominant = 8;
  int max_trials = 8;
  // Makes the float16 form of the model with these operators kept in float32; the facade's Convert.
  // Null: do not search for a list.
  std::function<Result<std::shared_ptr<const ir::Model>>(const std::vector<std::string>& keep)>
      to_float16 = {};
};

// `model` must compute in float32.
Result<Fidelity> DiagnoseFloat16(const exec::Backend& backend,
                                 std::shared_ptr<const ir::Model> model, const Samples& samples,
                                 const FidelityOptions& options);

std::string FidelityJson(const Fidelity& fidelity);

}  // namespace anemone::lab
