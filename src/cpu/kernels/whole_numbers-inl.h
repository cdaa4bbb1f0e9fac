// Floats that are known to be near whole numbers of 8 bits, as such, for the current Highway target.
#if defined(ANEMONE_CPU_KERNELS_WHOLE_NUMBERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ANEMONE_CPU_KERNELS_WHOLE_NUMBERS_INL_H_
#undef ANEMONE_CPU_KERNELS_WHOLE_NUMBERS_INL_H_
#else
#define ANEMONE_CPU_KERNELS_WHOLE_NUMBERS_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "base/simd_targets.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#undef ANEMONE_X86_VECTORS
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
#define ANEMONE_X86_VECTORS 1
#else
#define ANEMONE_X86_VECTORS 0
#endif

// The nearest integers, ties to even, of floats that are far from the limits of 32 bits. Highway's function
// mends what is beyond them, which takes several instructions.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> NearestOfSmall(D /*d*/, hn::Vec<D> x) {
#if !ANEMONE_X86_VECTORS
  return hn::NearestInt(x);
#elif HWY_TARGET <= HWY_AVX3
  return {_mm512_cvtps_epi32(x.raw)};
#elif HWY_TARGET <= HWY_AVX2
  return {_mm256_cvtps_epi32(x.raw)};
#else
  return {_mm_cvtps_epi32(x.raw)};
#endif
}

#if HWY_TARGET != HWY_SCALAR
// The bytes of four vectors of numbers from 0 to 255, one vector after the other.
template <class DI, class VI>
HWY_INLINE auto PackBytes([[maybe_unused]] DI di, VI a, VI b, VI c, VI e) {
  const hn::Repartition<int16_t, DI> d16;
  const hn::Repartition<uint8_t, DI> d8;
  const auto ab = hn::ReorderDemote2To(d16, a, b), ce = hn::ReorderDemote2To(d16, c, e);
#if !ANEMONE_X86_VECTORS
  const hn::Half<decltype(d8)> half;
  return hn::Combine(d8, hn::DemoteTo(half, ce), hn::DemoteTo(half, ab));
#else
#if HWY_TARGET <= HWY_AVX3
  const VI mixed{_mm512_packus_epi16(ab.raw, ce.raw)};
#elif HWY_TARGET <= HWY_AVX2
  const VI mixed{_mm256_packus_epi16(ab.raw, ce.raw)};
#else
  const VI mixed{_mm_packus_epi16(ab.raw, ce.raw)};
#endif
  // Of each block of 16 bytes: four of a, four of b ...
  constexpr int kBlocks = static_cast<int>(hn::MaxLanes(DI())) / 4;
  if constexpr (kBlocks == 1) return hn::BitCast(d8, mixed);
  alignas(64) int32_t order[4 * kBlocks];
  ANEMONE_UNROLL
  for (int i = 0; i < 4 * kBlocks; ++i) order[i] = i % kBlocks * 4 + i / kBlocks;
  return hn::BitCast(d8, hn::TableLookupLanes(mixed, hn::SetTableIndices(di, order)));
#endif
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#endif  // include guard
