// Configuration: what a compression does to which operators, as a plain value. It has the form of
// coremltools' OptimizationConfig (a setting for all, for operator types, for names of operators or
// constants), its names and its defaults, and adds what coremltools spreads over several calls: the
// order of steps, joint compression, activations. configuration_json.h reads and writes it. Thread
// rules: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/status.h"
#include "compress/linear_codec.h"
#include "compress/op_config.h"

namespace anemone::compress {

// OptimizationConfig: name before type before global; nullopt leaves an operator alone.
struct WeightStep {
  std::optional<OpConfig> global_config = {};
  std::map<std::string, std::optional<OpConfig>> op_type_configs = {};
  std::map<std::string, std::optional<OpConfig>> op_name_configs = {};
  // Compress what earlier steps have compressed: values of sparse constants, tables, integers.
  bool joint_compression = false;
  friend bool operator==(const WeightStep&, const WeightStep&) = default;
};

// How the range of an activation follows from the values seen.
enum class Observer : uint8_t { kMinMax, kPercentile, kMse, kEntropy };

struct ActivationConfig {
  LinearMode mode = LinearMode::kSymmetric;
  DType dtype = DType::kInt8;  // or kUInt8
  friend bool operator==(const ActivationConfig&, const ActivationConfig&) = default;
};
// linear_quantize_activations: quantize and dequantize around operators that compute in 8 bits.
struct ActivationStep {
  std::optional<ActivationConfig> global_config = ActivationConfig{};
  std::map<std::string, std::optional<ActivationConfig>> op_type_configs = {};
  std::map<std::string, std::optional<ActivationConfig>> op_name_configs = {};
  Observer observer = Observer::kMinMax;
  double percentile = 99.99;  // kPercentile
  friend bool operator==(const ActivationStep&, const ActivationStep&) = default;
};

// The setting of a step for an operation, by name, type, or for all; null: none.
template <typename Step>
auto SettingOf(const Step& step, const std::string& name, const std::string& type)
    -> decltype(&*step.global_config) {
  const auto by_name = step.op_name_configs.find(name);
  const auto by_type = step.op_type_configs.find(type);
  const auto& config = by_name != step.op_name_configs.end()   ? by_name->second
                       : by_type != step.op_type_configs.end() ? by_type->second
                                                               : step.global_config;
  return config ? &*config : nullptr;
}

struct Configuration {
  // Before anything else: equalize the ranges of the channels of neighboring layers.
  bool equalize = false;
  std::optional<ActivationStep> activations = {};
  std::vector<WeightStep> weights = {};  // one after the other
  // After everything else: subtract the mean error of each output channel from the bias.
  bool correct_bias = false;
  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// Checks whether it is possible at all; kUsage with the rule. Apply checks op sets.
Status Check(const Configuration& configuration);
// Whether it needs calibration inputs.
bool NeedsData(const Configuration& configuration);
// Whether its work on weights and biases needs them.
bool WeightsNeedData(const Configuration& configuration);
bool NeedsData(const OpConfig& config);
// The most that one of its weight steps needs to know about the inputs.
DataNeed DataNeedOf(const Configuration& configuration);

}  // namespace anemone::compress
