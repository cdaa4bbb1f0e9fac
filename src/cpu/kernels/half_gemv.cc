#include "cpu/kernels/half_gemv.h"

#include <algorithm>
#include <cstddef>

#include "base/simd_targets.h"
#include "base/thread_pool.h"
#include "cpu/kernels/gemm.h"
#include "cpu/kernels/tile_driver.h"
#include "cpu/kernels/tile_epilogue.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/half_gemv.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

// Of tile_finish.cc, for the same target.
void FinishFloats(const float* sums, int64_t stride, int width, const TileEpilogue& end);

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

HWY_INLINE V LoadHalves(D d, const Half* from) {
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
  const hn::Rebind<hwy::float16_t, D> dh;
  return hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(from)));
#else
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  for (size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
#endif
}

template <int kRows, int kVectors>
HWY_NOINLINE void HalfTile(const float* const* rows, int64_t depth, const Half* b,
                           const float* bias, const TileEpilogue& end) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V acc[kRows][kVectors];
  ANEMONE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const V start = hn::LoadU(d, bias + v * lanes);
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) acc[r][v] = start;
  }
  for (int64_t k = 0; k < depth; ++k, b += kVectors * lanes) {
    V weights[kVectors];
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) weights[v] = LoadHalves(d, b + v * lanes);
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const V a = hn::Set(d, rows[r][k]);
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::MulAdd(a, weights[v], acc[r][v]);
    }
  }
  HWY_ALIGN float sums[kRows * kVectors * hn::MaxLanes(D())];
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) hn::Store(acc[r][v], d, sums + (r * kVectors + v) * lanes);
  }
  const auto width = static_cast<int>(kVectors * lanes);
  FinishFloats(sums, width, width, end);
}

template <int kVectors>
void HalfTileOfWidth(const float* const* rows, int64_t depth, const Half* b, const float* bias,
                     const TileEpilogue& end) {
  switch (end.rows) {
    case 1:
      return HalfTile<1, kVectors>(rows, depth, b, bias, end);
    case 2:
      return HalfTile<2, kVectors>(rows, depth, b, bias, end);
    case 3:
      return HalfTile<3, kVectors>(rows, depth, b, bias, end);
    default:
      return HalfTile<4, kVectors>(rows, depth, b, bias, end);
  }
}

void AnyHalfTile(const float* const* rows, int64_t depth, const Half* b, int width,
                 const float* bias, const TileEpilogue& end) {
  if (width == static_cast<int>(hn::Lanes(D()))) {
    return HalfTileOfWidth<1>(rows, depth, b, bias, end);
  }
  HalfTileOfWidth<2>(rows, depth, b, bias, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(AnyHalfTile);

HalfMatrix::HalfMatrix(const Half* b, int64_t k, int64_t n, int64_t row_stride,
                       int64_t column_stride, const float* bias, ThreadPool& pool)
    : panels_(static_cast<size_t>(PackedFloats(k, n))), bias_(PackedColumns(n)), k_(k), n_(n) {
  const int64_t width = PanelWidth();
  pool.ParallelFor((n + width - 1) / width, 1, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t first = panel * width;
      const int packed = PanelWidthAt(n, panel);
      const auto columns = static_cast<int>(std::min<int64_t>(packed, n - first));
      // Columns past the last are zeros, which the vector was made of.
      for (int j = 0; j < columns; ++j) {
        const Half* from = b + (first + j) * column_stride;
        Half* to = panels_.data() + first * k + j;
        for (int64_t i = 0; i < k; ++i) to[i * packed] = from[i * row_stride];
      }
    }
  });
  std::fill_n(bias_.data(), PackedColumns(n), 0.0f);
  if (bias != nullptr) std::copy_n(bias, n, bias_.data());
}

void HalfMatrix::Multiply(const float* a, int64_t m, const Destination& c,
                          std::span<const Step> steps, ThreadPool& pool) const {
  TileProblem problem;
  problem.m = m;
  problem.n = n_;
  problem.k = k_;
  problem.out = c;
  problem.out_stride = n_;
  problem.steps = steps;
  problem.a_bytes = m * k_ * int64_t{sizeof(float)};
  const auto tile = HWY_DYNAMIC_DISPATCH(AnyHalfTile);
  RunTiles<const float*>(
      problem, pool,
      [&](int64_t, int64_t row, int rows, int64_t, const float** out) {
        for (int r = 0; r < rows; ++r) out[r] = a + (row + r) * k_;
      },
      [&](int64_t, int64_t panel) {
        const int64_t first = panel * PanelWidth();
        return [=, this, width = PanelWidthAt(n_, panel)](const float* const* rows,
                                                          const TileEpilogue& end) {
          tile(rows, k_, panels_.data() + first * k_, width, bias_.data() + first, end);
        };
      });
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
