// Sensitivity: the cost of each form of each weight: bytes, the noise at its operator's output, and
// the loss of the model's outputs when only this weight has the form. It takes one pass over the
// network: the values in front of an operator are kept for all samples and move forward with the
// pass, so a form costs one run of its operator and of the operators after it, never a run of the
// whole network. (The idea of layer-wise post-training quantization, e.g. AdaRound,
// arXiv:2004.10568, section 3; here with the loss of the task's outputs instead of a local one.)
//
// Thread rules: pure but for the callbacks, which are called from the calling thread. Results do
// not depend on the number of threads. Errors: those of running the model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "compress/configuration.h"
#include "lab/variant.h"

namespace anemone::lab {

// A form that a weight may take; the name is for tables and charts ("palette 4", "int8").
struct Form {
  std::string name;
  compress::OpConfig config;
};
// The forms worth trying in an op set, from the largest to the smallest; empty before ios16.
// `data`: include those that learn from calibration inputs.
std::vector<Form> FormsOf(ir::Opset opset, bool data = false);

struct FormCost {
  std::string form;
  bool possible = false;  // false: the weight cannot take it, and the rest is unset
  int64_t bytes = 0;      // data and parameters
  double loss = 0;        // as VariantResult::loss, against the base model's own outputs
  double snr_db = 0;      // of the operator's output; the smallest when several operators take it
};

struct WeightSensitivity {
  std::string weight;         // name of the constant
  std::string operator_name;  // of the first operator that takes it
  std::string operator_type;
  std::string setting;  // the key in op_name_configs
  ir::Shape shape;
  int64_t bytes = 0;            // as it is in the base
  std::vector<FormCost> forms;  // in the order of the given forms
  // The reason why it was skipped (control flow, no possible form).
  std::string skipped;
};

struct SensitivityOptions {
  std::vector<Form> forms;
  int64_t samples = 8;  // spread evenly over the subject's samples
  int threads = 0;
  std::function<bool()> cancelled = {};
  std::function<void(int64_t done, int64_t total)> progress = {};
  // Reads and writes the results for a weight, so that an interrupted pass can continue.
  std::function<Result<std::optional<WeightSensitivity>>(const std::string& weight)> find = {};
  std::function<Status(const WeightSensitivity& found)> store = {};
};

// Returns the weights in the execution order of their operators.
Result<std::vector<WeightSensitivity>> MeasureSensitivity(const LabSubject& subject,
                                                          const SensitivityOptions& options);

std::string SensitivityJson(const WeightSensitivity& sensitivity);
Result<WeightSensitivity> ParseSensitivity(const std::string& json);

}  // namespace anemone::lab
