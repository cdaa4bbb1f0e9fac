// Pruning by a threshold, coremltools' OpThresholdPrunerConfig: elements that small become 0, if
// enough of the weight is. Thread rules: pure functions.
#pragma once

#include <cstdint>

#include "compress/op_config.h"
#include "compress/sparse_weight.h"

namespace anemone::compress {

const Method& ThresholdPruning();

struct ThresholdConfig {
  double threshold = 1e-12;
  double minimum_sparsity_percentile = 0.5;
  int64_t weight_threshold = kDefaultWeightThreshold;

  static const Method& method() { return ThresholdPruning(); }
  friend bool operator==(const ThresholdConfig&, const ThresholdConfig&) = default;
};

// `weight` is fp32 or fp16. Prunes the same elements as coremltools. kInvalidInput with the reason
// when too few elements are that small.
Result<SparseTensor> PruneByThreshold(const ir::Literal& weight, const ThresholdConfig& config);

}  // namespace anemone::compress
