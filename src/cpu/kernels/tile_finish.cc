#include "cpu/kernels/tile_finish.h"

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/tile_finish.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/tile_epilogue-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

template <int kRows, int kVectors>
HWY_INLINE void FinishRows(const float* sums, int64_t stride, TileEpilogue* end) {
  const D d;
  V acc[kRows][kVectors];
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::LoadU(d, sums + v * hn::Lanes(d));
    sums += stride;
  }
  FinishTile(d, acc, *end);
  Advance(end, kRows);
}

// A few rows at a time, which stay in registers.
template <int kVectors>
HWY_INLINE void FinishAllRows(const float* sums, int64_t stride, TileEpilogue end) {
  constexpr int kMany = 4;
  int row = 0;
  for (; row + kMany <= end.rows; row += kMany) {
    FinishRows<kMany, kVectors>(sums + row * stride, stride, &end);
  }
  for (; row < end.rows; ++row) FinishRows<1, kVectors>(sums + row * stride, stride, &end);
}

void FinishFloats(const float* sums, int64_t stride, int width, const TileEpilogue& end) {
  if (width == static_cast<int>(hn::Lanes(D()))) return FinishAllRows<1>(sums, stride, end);
  FinishAllRows<2>(sums, stride, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(FinishFloats);

FinishFloatsFunction ChooseFinishFloats() { return HWY_DYNAMIC_DISPATCH(FinishFloats); }

}  // namespace anemone::cpu
#endif  // HWY_ONCE
