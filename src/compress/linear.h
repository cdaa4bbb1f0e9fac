// Linear quantization of weights: constants become integers with a scale, which Core ML turns back
// into floats when it loads the model (constexpr_affine_dequantize from ios16 on,
// constexpr_blockwise_shift_scale from ios18 on). What is computed stays float. Thread rules: one
// thread to a program; the work itself runs on `threads`. Errors: kUnsupported when the program's
// op set has no form for what is asked, with the lowest that has; then nothing is changed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "compress/linear_codec.h"
#include "compress/report.h"
#include "compress/weights.h"

namespace anemone::compress {

// Which elements share a scale.
enum class Granularity : uint8_t { kPerTensor, kPerChannel, kPerBlock };

struct LinearOptions {
  DType dtype = DType::kInt8;  // int8, uint8; from ios18 on int4, uint4
  LinearMode mode = LinearMode::kSymmetric;
  Granularity granularity = Granularity::kPerTensor;
  // kPerBlock: that many elements along the input channels, for each output channel.
  int64_t block_size = 32;
  // Constants with at most this many elements are left alone.
  int64_t weight_threshold = 2048;
  Selector select = {};
  int threads = 0;                       // 0: one for each processor
  std::function<bool()> cancelled = {};  // asked for each tensor; true stops with kCancelled
};

Result<Report> QuantizeLinearWeights(ir::Program& program, const LinearOptions& options = {});

}  // namespace anemone::compress
