// Whole-array half precision, with the processor's conversion instructions where it has them.
#include <cstddef>

#include "base/dtype.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "base/half.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Highway widens without F16C through plain integer arithmetic that flushes or misplaces NaN
// payloads on some targets; only targets with conversion instructions use it.
#undef ANEMONE_HALF_VECTOR
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
#define ANEMONE_HALF_VECTOR 1
#else
#define ANEMONE_HALF_VECTOR 0
#endif

size_t WidenVectors([[maybe_unused]] const uint16_t* in, [[maybe_unused]] float* out,
                    [[maybe_unused]] size_t n) {
  size_t i = 0;
#if ANEMONE_HALF_VECTOR
  const hn::ScalableTag<float> df;
  const hn::Rebind<hwy::float16_t, decltype(df)> dh;
  for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df)) {
    const auto half = hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(in + i));
    hn::StoreU(hn::PromoteTo(df, half), df, out + i);
  }
#endif
  return i;
}

size_t NarrowVectors([[maybe_unused]] const float* in, [[maybe_unused]] uint16_t* out,
                     [[maybe_unused]] size_t n) {
  size_t i = 0;
#if ANEMONE_HALF_VECTOR
  const hn::ScalableTag<float> df;
  const hn::Rebind<hwy::float16_t, decltype(df)> dh;
  for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df)) {
    const auto half = hn::DemoteTo(dh, hn::LoadU(df, in + i));
    hn::StoreU(half, dh, reinterpret_cast<hwy::float16_t*>(out + i));
  }
#endif
  return i;
}

size_t RoundVectors([[maybe_unused]] float* values, [[maybe_unused]] size_t n) {
  size_t i = 0;
#if ANEMONE_HALF_VECTOR
  const hn::ScalableTag<float> df;
  const hn::Rebind<hwy::float16_t, decltype(df)> dh;
  for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df)) {
    hn::StoreU(hn::PromoteTo(df, hn::DemoteTo(dh, hn::LoadU(df, values + i))), df, values + i);
  }
#endif
  return i;
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone {

HWY_EXPORT(WidenVectors);
HWY_EXPORT(NarrowVectors);
HWY_EXPORT(RoundVectors);

// Each hands whole vectors to the target's code and converts the rest one by one; both give the
// same bits.
void HalfToFloat(std::span<const Half> in, std::span<float> out) {
  const auto* bits = reinterpret_cast<const uint16_t*>(in.data());
  for (size_t i = HWY_DYNAMIC_DISPATCH(WidenVectors)(bits, out.data(), in.size()); i < in.size();
       ++i) {
    out[i] = HalfToFloat(bits[i]);
  }
}

void FloatToHalf(std::span<const float> in, std::span<Half> out) {
  auto* bits = reinterpret_cast<uint16_t*>(out.data());
  for (size_t i = HWY_DYNAMIC_DISPATCH(NarrowVectors)(in.data(), bits, in.size()); i < in.size();
       ++i) {
    bits[i] = FloatToHalf(in[i]);
  }
}

void RoundToHalf(std::span<float> values) {
  for (size_t i = HWY_DYNAMIC_DISPATCH(RoundVectors)(values.data(), values.size());
       i < values.size(); ++i) {
    values[i] = HalfToFloat(FloatToHalf(values[i]));
  }
}

}  // namespace anemone
#endif  // HWY_ONCE
