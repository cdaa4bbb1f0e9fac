// Linear quantization of one tensor: value ~ scale * (quantized - offset), with one scale (and
// offset) for each block. The arithmetic is coremltools' own, operation by operation in the
// tensor's dtype, so that data and scales are the same to the bit.
//
// symmetric:   the largest magnitude M of a block maps to the ends: scale = 2 M /
//              (highest - lowest); int8 uses -127 ... 127 without offset, uint8 0 ... 254 with
//              offset 127 (int4: -7 ... 7, uint4: 0 ... 14, offset 7).
// asymmetric:  [min(0, smallest), max(0, largest)] maps to the full range, with an offset.
//
// Thread rules: pure functions. Errors: kInvalidInput for values that are not finite, or a range
// too small or too large for the dtype.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "ir/literal.h"

namespace anemone::compress {

enum class LinearMode : uint8_t { kSymmetric, kAsymmetric };

struct LinearTensor {
  ir::Literal data;          // of the quantized dtype, in the shape of the original
  std::vector<float> scale;  // row-major over scale_shape; half values when the original is fp16
  std::vector<int8_t>
      offset;  // bits of int8 / uint8, or int4 / uint4 values; empty when all are 0 by construction
  ir::Shape scale_shape;  // as many dimensions as the data; each divides the data's
  double max_error = 0;
  double rms_error = 0;
};

// `weight` is fp32 or fp16, of rank 1 or more. `blocks[i]` is the length of a block along dimension
// i and divides it; 0 means all of it. `dtype` is int8, uint8, int4 or uint4. kInvalidInput also
// names the first element that is not finite.
Result<LinearTensor> QuantizeLinear(const ir::Literal& weight, const ir::Shape& blocks, DType dtype,
                                    LinearMode mode);

// The values that `tensor` represents, in `dtype` (fp32 or fp16), as Core ML computes them: scale *
// (data - offset).
Result<ir::Literal> DequantizeLinear(const LinearTensor& tensor, DType dtype);

}  // namespace anemone::compress
