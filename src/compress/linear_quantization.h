// Linear quantization of weights (linear_codec.h), coremltools' OpLinearQuantizerConfig: to the
// nearest integers, or to those that minimize the error of the operator's output (gptq.h,
// adaround.h). Thread rules: values.
#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"
#include "compress/linear_codec.h"
#include "compress/op_config.h"

namespace anemone::compress {

// How the integers are chosen. kNearest needs no data; the others need calibration inputs.
enum class Rounding : uint8_t { kNearest, kGptq, kAdaRound };

const Method& LinearQuantization();

struct LinearConfig {
  DType dtype = DType::kInt8;  // int8, uint8; from iOS18 on int4, uint4
  LinearMode mode = LinearMode::kSymmetric;
  Granularity granularity = Granularity::kPerChannel;  // all but kPerGroupedChannel
  // kPerBlock: elements along the input channels, for each output channel.
  int64_t block_size = 32;
  // kPerBlock: instead, the block along each axis; 0: all of it.
  std::vector<int64_t> block_sizes = {};
  // Constants with at most this many elements stay as they are.
  int64_t weight_threshold = kDefaultWeightThreshold;
  Rounding rounding = Rounding::kNearest;

  static const Method& method() { return LinearQuantization(); }
  friend bool operator==(const LinearConfig&, const LinearConfig&) = default;
};

}  // namespace anemone::compress
