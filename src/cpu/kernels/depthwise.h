// Depthwise convolution (one filter per channel), vectorized over channels. Internal to PackedConv.
#pragma once

#include <cstdint>

#include "cpu/kernels/conv.h"

namespace anemone::cpu {

// Output rows [begin, end) of the batch * out_h rows. `weights`: [taps, stride] with stride =
// PackedColumns(channels), followed by `stride` biases.
void DepthwiseRows(const ConvShape& shape, const float* in, const float* weights, float* out,
                   int64_t begin, int64_t end);

}  // namespace anemone::cpu
