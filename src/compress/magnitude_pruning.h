// Pruning by magnitude, coremltools' OpMagnitudePrunerConfig: the smallest elements become 0, up to
// a share of all (one by one or in blocks of channels), or n of every m channels. Thread
// rules: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "compress/op_config.h"
#include "compress/sparse_weight.h"

namespace anemone::compress {

const Method& MagnitudePruning();

// One of target_sparsity and n_m_ratio.
struct MagnitudeConfig {
  std::optional<double> target_sparsity = {};
  std::optional<int64_t> block_size = {};
  std::optional<std::pair<int64_t, int64_t>> n_m_ratio = {};  // of every m, n become 0
  std::optional<int> dim = {};                                // default: 0 for blocks, 1 for n:m
  int64_t weight_threshold = kDefaultWeightThreshold;

  static const Method& method() { return MagnitudePruning(); }
  friend bool operator==(const MagnitudeConfig&, const MagnitudeConfig&) = default;
};

// `weight` is fp32 or fp16. Prunes the same elements as coremltools, ties included. kInvalidInput
// with the reason why this tensor cannot be pruned this way.
Result<SparseTensor> PruneByMagnitude(const ir::Literal& weight, const MagnitudeConfig& config);

}  // namespace anemone::compress
