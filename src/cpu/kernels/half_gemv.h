// Product of a few rows with a matrix of half-precision weights, which are converted as they are used: such a
// product waits for its weights, and these are half as many bytes. The bits are those of Gemm on the same
// weights as floats. Whatever weights are stored as, those of a float16 program are half once decompressed.
//
// Thread rules: pure functions; a HalfMatrix is immutable once packed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/dtype.h"
#include "cpu/kernels/buffer.h"
#include "cpu/kernels/steps.h"
#include "cpu/kernels/tile_epilogue.h"

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

class HalfMatrix {
 public:
  // More rows are worth a matrix of floats.
  static constexpr int64_t kMaxRows = 4;

  HalfMatrix() = default;
  // B(i, j) = b[i * row_stride + j * column_stride] of k x n; `bias`: n values or null.
  HalfMatrix(const Half* b, int64_t k, int64_t n, int64_t row_stride, int64_t column_stride,
             const float* bias, ThreadPool& pool);

  // C = steps(A * B + bias) for A of m <= kMaxRows rows of k values, one after the other; those of C have n.
  void Multiply(const float* a, int64_t m, const Destination& c, std::span<const Step> steps,
                ThreadPool& pool) const;

 private:
  std::vector<Half> panels_;
  Floats bias_;
  int64_t k_ = 0;
  int64_t n_ = 0;
};

}  // namespace anemone::cpu
