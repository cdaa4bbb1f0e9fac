// Work along the last axis of a rows x columns tensor: softmax, layer normalization, reductions.
// Each row is handled by one thread, in a fixed order. Thread rules: pure functions.
#pragma once

#include <cstdint>

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

// exp(x - max) / sum; `in` may equal `out`. A row of only -infinity gives NaN, as the
// definition does.
void Softmax(const float* in, float* out, int64_t rows, int64_t columns, ThreadPool& pool);

// (x - mean) / sqrt(variance + epsilon) * gamma + beta, the variance over `columns` (not columns -
// 1); gamma and beta hold `columns` values or are null. `in` may equal `out`.
void LayerNorm(const float* in, float* out, int64_t rows, int64_t columns, const float* gamma,
               const float* beta, float epsilon, ThreadPool& pool);

enum class ReduceKind : uint8_t { kSum, kMean, kMax, kMin, kSumSquare };

// out: one value per row. NaN in a row gives NaN. columns >= 1.
void ReduceRows(ReduceKind kind, const float* in, float* out, int64_t rows, int64_t columns,
                ThreadPool& pool);

}  // namespace anemone::cpu
