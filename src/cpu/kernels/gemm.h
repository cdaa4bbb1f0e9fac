// Matrix multiply in float32: C[m, n] = steps(A[m, k] * B[k, n] + bias). B is packed into panels of
// PanelWidth() columns, once at plan time for weights, per call for activations.
//
// Each output is summed over k in order in one accumulator (fused multiply-add where the target has
// it), starting from the bias: the bits do not depend on m, the tile or the thread count. The
// reduction is not cut into cache blocks: a panel of 2048 x 32 floats still fits the second-level
// cache, and longer ones stream.
//
// Thread rules: pure functions; a PackedMatrix is immutable once packed.
#pragma once

#include <cstdint>
#include <span>

#include "cpu/kernels/buffer.h"
#include "cpu/kernels/gemm_tile.h"
#include "cpu/kernels/steps.h"
#include "cpu/kernels/tile_epilogue.h"

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

// Where packed panels lie; does not own them.
struct PackedView {
  const float* panels = nullptr;
  const float* bias = nullptr;  // PackedColumns(n) values, zeros where there is none
  int64_t k = 0;
  int64_t n = 0;
};

// Floats that the panels of a k x n matrix take, and columns after padding (floats of its bias).
int64_t PackedFloats(int64_t k, int64_t n);
int64_t PackedColumns(int64_t n);
// Packs B(i, j) = b[i * row_stride + j * column_stride] into `out`, aligned as Floats are.
void PackMatrix(const float* b, int64_t k, int64_t n, int64_t row_stride, int64_t column_stride,
                float* out);

class PackedMatrix {
 public:
  PackedMatrix() = default;
  // `bias`: n values or null.
  PackedMatrix(const float* b, int64_t k, int64_t n, int64_t row_stride, int64_t column_stride,
               const float* bias);
  // The same, by the threads of a pool.
  PackedMatrix(const float* b, int64_t k, int64_t n, int64_t row_stride, int64_t column_stride,
               const float* bias, ThreadPool& pool);
  // The matrix of a convolution: a row for each (tap, channel) and a column for each of n filters,
  // which lie as [n][depth][taps].
  PackedMatrix(const float* filters, int64_t taps, int64_t depth, int64_t n, const float* bias,
               ThreadPool& pool);
  PackedView view() const { return {panels_.data(), bias_.data(), k_, n_}; }

 private:
  void SetBias(const float* bias);

  Floats panels_;
  Floats bias_;
  int64_t k_ = 0;
  int64_t n_ = 0;
};

// Rows of A and C are a_stride and c_stride elements apart. C must not overlap A or B; a step's
// operand may be C itself.
void Gemm(const float* a, int64_t a_stride, int64_t m, const PackedView& b, const Destination& c,
          int64_t c_stride, std::span<const Step> steps, ThreadPool& pool);

// What tiles of one panel have in common, for rows of `taps` pieces each; `a` is not set.
TileArgs PanelArgs(const PackedView& b, int64_t panel, int64_t taps);

}  // namespace anemone::cpu
