// Products of 8-bit integers with exact sums: C[m, n] = steps(A[m, k] * B[k, n] * scale[n] +
// bias[n]). B is packed once, at plan time.
// Thread rules: pure functions; a PackedInt8Matrix is immutable once packed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/kernels/buffer.h"
#include "cpu/kernels/int8_tile.h"
#include "cpu/kernels/steps.h"
#include "cpu/kernels/tile_epilogue.h"

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

class PackedInt8Matrix {
 public:
  PackedInt8Matrix() = default;
  // `b`: B(i, j) = b[j * k + i], with k == taps * depth: the pieces that rows of A come in. `scale`
  // and `bias`: n values each.
  PackedInt8Matrix(const int8_t* b, int64_t taps, int64_t depth, int64_t n, const float* scale,
                   const float* bias);

  int64_t k() const { return taps_ * depth_; }
  int64_t n() const { return n_; }
  // What tiles of one panel have in common; `a` is not set.
  Int8TileArgs PanelArgs(int64_t panel) const;

 private:
  std::vector<int8_t> panels_;
  Floats scale_;  // padded with zeros to whole panels, as bias_ is
  Floats bias_;
  int64_t taps_ = 1;
  int64_t depth_ = 0;
  int64_t n_ = 0;
};

// Rows of A and C are a_stride and c_stride elements apart; where k is odd, the element after each
// row of A can be read. `b` has one tap.
void Int8Gemm(const NarrowInt* a, int64_t a_stride, int64_t m, const PackedInt8Matrix& b,
              const Destination& c, int64_t c_stride, std::span<const Step> steps,
              ThreadPool& pool);

}  // namespace anemone::cpu
