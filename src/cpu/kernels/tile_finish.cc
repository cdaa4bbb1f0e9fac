#include "cpu/kernels/tile_finish.h"

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/tile_finish.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/tile_epilogue-inl.h"
#include "cpu/kernels/tile_requantize-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Sums as floats.
struct FromFloats {
  const float* sums;
  template <int kVectors>
  HWY_INLINE void Load(D d, int64_t at, V (&acc)[kVectors]) const {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) acc[v] = hn::LoadU(d, sums + at + v * hn::Lanes(d));
  }
};

// Sums as integers, which are scaled and shifted.
struct FromIntegers {
  const int32_t* sums;
  const float* scale;
  const float* bias;
  template <int kVectors>
  HWY_INLINE void Load(D d, int64_t at, V (&acc)[kVectors]) const {
    const hn::RebindToSigned<D> di;
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const size_t column = v * hn::Lanes(d);
      const V sum = hn::ConvertTo(d, hn::LoadU(di, sums + at + column));
      acc[v] = hn::MulAdd(sum, hn::Load(d, scale + column), hn::Load(d, bias + column));
    }
  }
};

template <int kRows, int kVectors, class From>
HWY_INLINE void FinishRows(const From& from, int64_t stride, int first, TileEpilogue* end) {
  const D d;
  V acc[kRows][kVectors];
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) from.Load(d, (first + r) * stride, acc[r]);
  FinishTile(d, acc, *end);
  Advance(end, kRows);
}

// A few rows at a time, which stay in registers.
template <int kVectors, class From>
HWY_INLINE void FinishAllRows(const From& from, int64_t stride, TileEpilogue end) {
  constexpr int kMany = 4;
  int row = 0;
  for (; row + kMany <= end.rows; row += kMany) {
    FinishRows<kMany, kVectors>(from, stride, row, &end);
  }
  for (; row < end.rows; ++row) FinishRows<1, kVectors>(from, stride, row, &end);
}

void FinishFloats(const float* sums, int64_t stride, int width, const TileEpilogue& end) {
  const FromFloats from{sums};
  if (width == static_cast<int>(hn::Lanes(D()))) return FinishAllRows<1>(from, stride, end);
  FinishAllRows<2>(from, stride, end);
}

template <int kVectors>
HWY_INLINE void FinishIntegersOf(const FromIntegers& from, int64_t stride,
                                 const TileEpilogue& end) {
#if HWY_TARGET != HWY_SCALAR
  if (Requantize<kVectors>(from.sums, from.scale, from.bias, end)) return;
#endif
  FinishAllRows<kVectors>(from, stride, end);
}

void FinishIntegers(const int32_t* sums, int width, const float* scale, const float* bias,
                    const TileEpilogue& end) {
  if (width == static_cast<int>(hn::Lanes(D()))) {
    return FinishIntegersOf<1>({sums, scale, bias}, width, end);
  }
  FinishIntegersOf<2>({sums, scale, bias}, width, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(FinishFloats);
HWY_EXPORT(FinishIntegers);

FinishFloatsFunction ChooseFinishFloats() { return HWY_DYNAMIC_DISPATCH(FinishFloats); }
FinishIntegersFunction ChooseFinishIntegers() { return HWY_DYNAMIC_DISPATCH(FinishIntegers); }

}  // namespace anemone::cpu
#endif  // HWY_ONCE
