#include "cpu/kernels/gemm_tile.h"

#include <cstddef>

#include "base/simd_targets.h"
#include "cpu/kernels/tile_finish.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/gemm_tile.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/tile_rows-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kMaxRows = ANEMONE_MAX_TILE_ROWS;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

template <int kRows, int kVectors>
HWY_NOINLINE void SumRows(const TileArgs& args, float* to, int64_t stride) {
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

  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r, to += stride) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, to + v * lanes);
  }
}

template <int kVectors>
void TileOfWidth(const TileArgs& args, int rows, float* to, int64_t stride) {
  switch (rows) {
#define ANEMONE_TILE(count) \
  case count:               \
    return SumRows<count, kVectors>(args, to, stride);
    ANEMONE_TILE_ROWS(ANEMONE_TILE)
#undef ANEMONE_TILE
    default:
      return;  // the driver cuts no other tiles
  }
}

void TileAnyRows(const TileArgs& args, int rows, float* to, int64_t stride) {
  if (args.panel_width == static_cast<int>(hn::Lanes(D()))) {
    return TileOfWidth<1>(args, rows, to, stride);
  }
  TileOfWidth<2>(args, rows, to, stride);
}
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

Tile ChooseTile() { return {HWY_DYNAMIC_DISPATCH(TileAnyRows), ChooseFinishFloats()}; }
void Tile::operator()(const TileArgs& args, const TileEpilogue& end) const {
  if (end.c != nullptr && end.columns == args.panel_width) {
    product(args, end.rows, end.c, end.stride);
    if (end.count > 0) finish(end.c, end.stride, args.panel_width, end);
    return;
  }
  alignas(64) float sums[kMaxTileSums];
  product(args, end.rows, sums, args.panel_width);
  finish(sums, args.panel_width, args.panel_width, end);
}
int VectorWidth() { return HWY_DYNAMIC_DISPATCH(Lanes)(); }
int PanelWidth() { return 2 * VectorWidth(); }
int MaxTileRows() { return HWY_DYNAMIC_DISPATCH(MaxRows)(); }

}  // namespace anemone::cpu
#endif  // HWY_ONCE
