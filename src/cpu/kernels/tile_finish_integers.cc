#include <cstdint>

#include "base/simd_targets.h"
#include "cpu/kernels/tile_finish.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/tile_finish_integers.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/tile_requantize-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

// Of tile_finish.cc, for the same target.
void FinishFloats(const float* sums, int64_t stride, int width, const TileEpilogue& end);

// to = sums * scale + bias.
template <int kVectors>
HWY_INLINE void Scale(const int32_t* sums, const float* scale, const float* bias, int rows,
                      float* to) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  hn::Vec<decltype(d)> scales[kVectors], biases[kVectors];
  ANEMONE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    scales[v] = hn::Load(d, scale + v * hn::Lanes(d));
    biases[v] = hn::Load(d, bias + v * hn::Lanes(d));
  }
  for (int row = 0; row < rows; ++row) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const size_t at = (static_cast<size_t>(row) * kVectors + v) * hn::Lanes(d);
      const auto sum = hn::ConvertTo(d, hn::LoadU(di, sums + at));
      hn::Store(hn::MulAdd(sum, scales[v], biases[v]), d, to + at);
    }
  }
}

template <int kVectors>
void FinishIntegersOf(const int32_t* sums, int width, const float* scale, const float* bias,
                      const TileEpilogue& end) {
#if HWY_TARGET != HWY_SCALAR
  if (Requantize<kVectors>(sums, scale, bias, end)) return;
#endif
  HWY_ALIGN float floats[kMaxTileSums];
  Scale<kVectors>(sums, scale, bias, end.rows, floats);
  FinishFloats(floats, width, width, end);
}

void FinishIntegers(const int32_t* sums, int width, const float* scale, const float* bias,
                    const TileEpilogue& end) {
  if (width == static_cast<int>(hn::Lanes(hn::ScalableTag<float>()))) {
    return FinishIntegersOf<1>(sums, width, scale, bias, end);
  }
  FinishIntegersOf<2>(sums, width, scale, bias, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(FinishIntegers);

FinishIntegersFunction ChooseFinishIntegers() { return HWY_DYNAMIC_DISPATCH(FinishIntegers); }

}  // namespace anemone::cpu
#endif  // HWY_ONCE
