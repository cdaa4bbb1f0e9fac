#include "cpu/kernels/gemm_tile.h"

#include <cstddef>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/gemm_tile.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

// Rows x 2 accumulators, two values of B and one of A must fit the registers: 32, or 16 before
// AVX-512 on x86.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM
constexpr int kMaxRows = 14;
#else
constexpr int kMaxRows = 6;
#endif

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

template <int kRows, int kVectors>
HWY_NOINLINE void Tile(const TileArgs& args) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V acc[kRows][kVectors];
  ANEMONE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const V bias = hn::Load(d, args.bias + v * lanes);
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) acc[r][v] = bias;
  }

  const float* HWY_RESTRICT b = args.b;
  const float* const* a = args.a;
  const int64_t depth = args.depth;
  for (int64_t tap = 0; tap < args.taps; ++tap, a += kRows) {
    const float* HWY_RESTRICT row[kRows];
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) row[r] = a[r];
    for (int64_t k = 0; k < depth; ++k) {
      V bv[kVectors];
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) bv[v] = hn::Load(d, b + v * lanes);
      b += kVectors * lanes;
      ANEMONE_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const V av = hn::Set(d, row[r][k]);
        ANEMONE_UNROLL
        for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::MulAdd(av, bv[v], acc[r][v]);
      }
    }
  }

  const auto columns = static_cast<size_t>(args.columns);
  const bool whole = columns == kVectors * lanes;
  if (args.residual != nullptr) {
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const float* from = args.residual + r * args.residual_stride;
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const size_t first = v * lanes;
        if (whole || first + lanes <= columns) {
          acc[r][v] = hn::Add(acc[r][v], hn::LoadU(d, from + first));
        } else if (first < columns) {
          acc[r][v] = hn::Add(acc[r][v], LoadFirst(d, from + first, columns - first));
        }
      }
    }
  }
  if (args.clamp) {
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) acc[r][v] = Clamp(d, acc[r][v], args.low, args.high);
    }
  }
  float* to = args.c;
  if (whole) {
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r, to += args.c_stride) {
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, to + v * lanes);
    }
    return;
  }
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r, to += args.c_stride) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const size_t first = v * lanes;
      if (first + lanes <= columns) {
        hn::StoreU(acc[r][v], d, to + first);
      } else if (first < columns) {
        StoreFirst(acc[r][v], d, to + first, columns - first);
      }
    }
  }
}

template <int kRows>
void TileOfRows(const TileArgs& args) {
  if constexpr (kRows > 0) {
    if (args.rows != kRows) return TileOfRows<kRows - 1>(args);
    if (args.panel_width == static_cast<int>(hn::Lanes(D()))) return Tile<kRows, 1>(args);
    return Tile<kRows, 2>(args);
  }
}

void TileAnyRows(const TileArgs& args) { TileOfRows<kMaxRows>(args); }
int Lanes() { return static_cast<int>(hn::Lanes(D())); }
int MaxRows() { return kMaxRows; }

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(TileAnyRows);
HWY_EXPORT(Lanes);
HWY_EXPORT(MaxRows);

void ComputeTile(const TileArgs& args) { HWY_DYNAMIC_DISPATCH(TileAnyRows)(args); }
int VectorWidth() { return HWY_DYNAMIC_DISPATCH(Lanes)(); }
int PanelWidth() { return 2 * VectorWidth(); }
int MaxTileRows() { return HWY_DYNAMIC_DISPATCH(MaxRows)(); }

}  // namespace anemone::cpu
#endif  // HWY_ONCE
