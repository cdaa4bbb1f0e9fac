// Fidelity: what half precision does to a model. Runs it operator by operator in float32 and in
// float16 on the same inputs, and finds the first operator that leaves half's range (|x| > 65504),
// the first NaN, the operators that add most of the error, and the smallest list to keep in float32
// that brings the outputs back within limits. The list is tested, not guessed.
//
// Thread rules: pure; uses the backend's threads. Errors: those of running
// a model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "ir/model.h"
#include "lab/half_trace.h"
#include "lab/manifest.h"
#include "lab/samples.h"

namespace anemone::lab {

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
  // Operators whose results a conversion also scales by powers of two, which keeps them in range.
  int64_t rescaled = 0;
  // The outputs with that list, and that scaling.
  std::vector<OutputParity> kept_outputs;
  bool kept_passed = false;
};

struct FidelityOptions {
  int threads = 0;
  ParityLimits limits = kFp16Limits;
  size_t max_dominant = 8;
  // Makes the float16 form of a float32 program with these operators kept in float32. Null: do not
  // search for a list.
  std::function<Result<std::shared_ptr<const ir::Model>>(const ir::Model& single,
                                                         const std::set<std::string>& keep)>
      to_float16 = {};
};

// `model` must compute in float32.
Result<Fidelity> DiagnoseFloat16(const exec::Backend& backend,
                                 std::shared_ptr<const ir::Model> model, const Samples& samples,
                                 const FidelityOptions& options);

std::string FidelityJson(const Fidelity& fidelity);

}  // namespace anemone::lab
