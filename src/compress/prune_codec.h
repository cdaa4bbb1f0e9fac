// Pruning of one tensor: which elements become 0. By a threshold, by magnitude up to a share of all
// (element by element or in blocks of channels), or n of every m channels. The same elements as
// coremltools', ties included. Thread rules: pure functions. Errors: kInvalidInput with the reason
// why this tensor cannot be pruned so.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "compress/configuration.h"
#include "ir/literal.h"

namespace anemone::compress {

struct SparseTensor {
  std::vector<uint8_t> mask;  // row-major over the tensor's shape: 1 where a value is kept
  ir::Shape shape;
  ir::Literal values;  // [kept], of the tensor's dtype
  double max_error = 0;
  double rms_error = 0;
};

// `weight` is fp32 or fp16.
Result<SparseTensor> PruneByThreshold(const ir::Literal& weight, const ThresholdConfig& config);
Result<SparseTensor> PruneByMagnitude(const ir::Literal& weight, const MagnitudeConfig& config);

// The elements of `literal` (of any dtype of one byte or more) where `mask` is set.
Result<ir::Literal> Gather(const ir::Literal& literal, const std::vector<uint8_t>& mask);

}  // namespace anemone::compress
