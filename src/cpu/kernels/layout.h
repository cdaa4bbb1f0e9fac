// Moving data between layouts: a batch of matrix transposes (NCHW <-> NHWC), and any permutation of
// axes. Thread rules: pure functions; `in` and `out` must not overlap.
#pragma once

#include <cstdint>
#include <span>

#include "cpu/kernels/steps.h"

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

// out[b, j, i] = in[b, i, j] for in: [batch, rows, columns].
// NCHW to NHWC: batch N, rows C, columns H * W; back: rows H * W, columns C.
void TransposeMatrices(const float* in, float* out, int64_t batch, int64_t rows, int64_t columns,
                       ThreadPool& pool);
// The same, and steps without operands on the results.
void TransposeMatrices(const float* in, float* out, int64_t batch, int64_t rows, int64_t columns,
                       std::span<const Step> steps, ThreadPool& pool);

// out[i0, i1, ...] has the size shape[permutation[k]] along axis k and is in's element with index
// i_k along its axis permutation[k]. At most 8 axes.
void Permute(const float* in, float* out, std::span<const int64_t> shape,
             std::span<const int64_t> permutation, ThreadPool& pool);

}  // namespace anemone::cpu
