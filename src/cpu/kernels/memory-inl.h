// Part-vector loads and stores, and Clamp, for the current Highway target.
#if defined(ANEMONE_CPU_KERNELS_MEMORY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ANEMONE_CPU_KERNELS_MEMORY_INL_H_
#undef ANEMONE_CPU_KERNELS_MEMORY_INL_H_
#else
#define ANEMONE_CPU_KERNELS_MEMORY_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Targets whose masked memory access touches no lane outside the mask.
#undef ANEMONE_MASKED_MEMORY
#if HWY_TARGET <= HWY_AVX2
#define ANEMONE_MASKED_MEMORY 1
#else
#define ANEMONE_MASKED_MEMORY 0
#endif

// The first n < Lanes(d) values at `from`, zeros after.
template <class D>
HWY_INLINE hn::Vec<D> LoadFirst(D d, const float* from, size_t n) {
#if ANEMONE_MASKED_MEMORY
  return hn::MaskedLoad(hn::FirstN(d, n), d, from);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(D())] = {};
  for (size_t i = 0; i < n; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
#endif
}

template <class D>
HWY_INLINE void StoreFirst(hn::Vec<D> v, D d, float* to, size_t n) {
#if ANEMONE_MASKED_MEMORY
  hn::BlendedStore(v, hn::FirstN(d, n), d, to);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(v, d, lanes);
  for (size_t i = 0; i < n; ++i) to[i] = lanes[i];
#endif
}

// Max and Min of a limit and a value; a value that is NaN stays NaN. x86 returns the second argument
// when either is NaN. Highway's on Arm are FMAXNM and FMINNM, which return the number, so there the
// instructions that return the NaN are named; the portable targets would return the limit.
template <class V>
HWY_INLINE V MaxOf(V limit, V value) {
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  return hn::IfThenElse(hn::Gt(limit, value), limit, value);
#elif HWY_ARCH_ARM
  static_assert(sizeof(V) == sizeof(float32x4_t));
  return V(vmaxq_f32(limit.raw, value.raw));
#else
  return hn::Max(limit, value);
#endif
}
template <class V>
HWY_INLINE V MinOf(V limit, V value) {
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  return hn::IfThenElse(hn::Lt(limit, value), limit, value);
#elif HWY_ARCH_ARM
  static_assert(sizeof(V) == sizeof(float32x4_t));
  return V(vminq_f32(limit.raw, value.raw));
#else
  return hn::Min(limit, value);
#endif
}
// The same where either may be NaN.
template <class V>
HWY_INLINE V MaxOrNan(V a, V b) {
  return hn::IfThenElse(hn::IsNaN(a), a, MaxOf(a, b));
}
template <class V>
HWY_INLINE V MinOrNan(V a, V b) {
  return hn::IfThenElse(hn::IsNaN(a), a, MinOf(a, b));
}

template <class D, class V>
HWY_INLINE V Clamp(D d, V x, float low, float high) {
  return MinOf(hn::Set(d, high), MaxOf(hn::Set(d, low), x));
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#endif  // include guard
