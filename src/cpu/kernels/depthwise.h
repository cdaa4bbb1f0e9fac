// Depthwise convolution (one filter per channel), vectorized over channels. Internal to the
// convolutions. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "cpu/kernels/buffer.h"
#include "cpu/kernels/conv.h"
#include "cpu/kernels/elementwise.h"

namespace anemone::cpu {

// `weights`: [out_c, taps] times `scale`; `bias`: out_c values or null. Packed as [taps, stride] with
// stride = PackedColumns(out_c), followed by `stride` biases.
Floats PackDepthwise(const ConvShape& shape, const float* weights, float scale, const float* bias);

// in_c == out_c. `in` holds floats, whole numbers less their zero point, or bytes, of which `zero` stands
// for 0; the steps see out as (batch * out_h * out_w) x out_c.
void RunDepthwise(const ConvShape& shape, const Source& in, int zero, const Floats& weights,
                  const Destination& out, std::span<const Step> steps, ThreadPool& pool);

}  // namespace anemone::cpu
