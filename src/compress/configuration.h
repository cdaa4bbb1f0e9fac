// Configuration: what a compression does to which operators, as a plain value. It has the form of
// coremltools' OptimizationConfig (a setting for all, for operator types, for names of operators or
// constants), its names and its defaults, and adds what coremltools spreads over several calls: the
// order of steps, joint compression, activations. configuration_json.h reads and writes it.
// Thread rules: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "base/status.h"
#include "compress/linear_codec.h"

namespace anemone::compress {

// Which elements share a scale, or a table.
enum class Granularity : uint8_t { kPerTensor, kPerChannel, kPerGroupedChannel, kPerBlock };
std::string_view GranularityName(Granularity granularity);  // "per_tensor" ...

constexpr int64_t kDefaultWeightThreshold = 2048;

// How the integers are chosen. kNearest needs no data; the others need calibration inputs.
enum class Rounding : uint8_t { kNearest, kGptq, kAdaRound };

// OpLinearQuantizerConfig.
struct LinearConfig {
  DType dtype = DType::kInt8;  // int8, uint8; from iOS18 on int4, uint4
  LinearMode mode = LinearMode::kSymmetric;
  Granularity granularity = Granularity::kPerChannel;  // all but kPerGroupedChannel
  // kPerBlock: elements along the input channels, for each output channel.
  int64_t block_size = 32;
  // kPerBlock: instead, the block along each axis; 0: all of it.
  std::vector<int64_t> block_sizes = {};
  // Constants with at most this many elements are left alone.
  int64_t weight_threshold = kDefaultWeightThreshold;
  Rounding rounding = Rounding::kNearest;
  friend bool operator==(const LinearConfig&, const LinearConfig&) = default;
};

enum class PaletteMode : uint8_t { kKMeans, kUniform, kUnique };

// OpPalettizerConfig.
struct PaletteConfig {
  PaletteMode mode = PaletteMode::kKMeans;
  int nbits = 0;  // 1, 2, 3, 4, 6, 8; 0 for kUnique, which finds it
  Granularity granularity = Granularity::kPerTensor;  // or kPerGroupedChannel
  int64_t group_size = 32;                            // channels that share a table
  std::optional<int> channel_axis = {};               // default: by the operator
  int64_t cluster_dim = 1;                            // values of one table entry
  bool enable_per_channel_scale = false;
  int64_t weight_threshold = kDefaultWeightThreshold;
  DType lut_dtype = DType::kInvalid;  // kInt8, kUInt8: the tables are quantized in turn (iOS18)
  // Weigh each value by the mean square of the inputs it meets; needs calibration inputs.
  bool sensitivity = false;
  friend bool operator==(const PaletteConfig&, const PaletteConfig&) = default;
};

// OpThresholdPrunerConfig.
struct ThresholdConfig {
  double threshold = 1e-12;
  double minimum_sparsity_percentile = 0.5;
  int64_t weight_threshold = kDefaultWeightThreshold;
  friend bool operator==(const ThresholdConfig&, const ThresholdConfig&) = default;
};

// OpMagnitudePrunerConfig: one of target_sparsity and n_m_ratio.
struct MagnitudeConfig {
  std::optional<double> target_sparsity = {};
  std::optional<int64_t> block_size = {};
  std::optional<std::pair<int64_t, int64_t>> n_m_ratio = {};  // of every m, n become 0
  std::optional<int> dim = {};                                // default: 0 for blocks, 1 for n:m
  int64_t weight_threshold = kDefaultWeightThreshold;
  friend bool operator==(const MagnitudeConfig&, const MagnitudeConfig&) = default;
};

using OpConfig = std::variant<LinearConfig, PaletteConfig, ThresholdConfig, MagnitudeConfig>;
int64_t WeightThreshold(const OpConfig& config);

// OptimizationConfig: name before type before global; nullopt leaves an operator alone.
struct WeightStep {
  std::optional<OpConfig> global_config = {};
  std::map<std::string, std::optional<OpConfig>> op_type_configs = {};
  std::map<std::string, std::optional<OpConfig>> op_name_configs = {};
  // Compress what earlier steps have compressed: values of sparse constants, tables, integers.
  bool joint_compression = false;
  friend bool operator==(const WeightStep&, const WeightStep&) = default;
};

// How the range of an activation follows from what was seen.
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
  // Before anything else: make the channels of neighboring layers alike in range.
  bool equalize = false;
  std::optional<ActivationStep> activations = {};
  std::vector<WeightStep> weights = {};  // one after the other
  // After all: take the mean error of each output channel out of the bias.
  bool correct_bias = false;
  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// Whether it can be done at all; kUsage with the rule. Op sets are checked by Apply.
Status Check(const Configuration& configuration);
// Whether it needs calibration inputs.
bool NeedsData(const Configuration& configuration);
// Whether what it does to weights and biases does.
bool WeightsNeedData(const Configuration& configuration);
bool NeedsData(const OpConfig& config);

}  // namespace anemone::compress
