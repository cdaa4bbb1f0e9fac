#include "cpu/kernels/resize.h"

#include <algorithm>
#include <cstddef>

#include "base/simd_targets.h"
#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/resize.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

// One output pixel from its four source pixels; with a weight of 0 or 1 the other side is not read,
// so an infinity there has no effect.
void Blend(const float* top_left, const float* top_right, const float* bottom_left,
           const float* bottom_right, float weight_x, float weight_y, float* out, size_t n) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto wx = hn::Set(d, weight_x), ux = hn::Set(d, 1.0f - weight_x);
  const auto wy = hn::Set(d, weight_y), uy = hn::Set(d, 1.0f - weight_y);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t left = HWY_MIN(lanes, n - i);
    const auto at = [&](const float* p) HWY_ATTR {
      return left == lanes ? hn::LoadU(d, p + i) : LoadFirst(d, p + i, left);
    };
    const auto mix = [&](const float* a, const float* b) HWY_ATTR {
      if (weight_x == 0.0f || a == b) return at(a);
      return hn::MulAdd(at(b), wx, hn::Mul(at(a), ux));
    };
    auto v = mix(top_left, top_right);
    if (weight_y != 0.0f && top_left != bottom_left) {
      v = hn::MulAdd(mix(bottom_left, bottom_right), wy, hn::Mul(v, uy));
    }
    if (left == lanes) {
      hn::StoreU(v, d, out + i);
    } else {
      StoreFirst(v, d, out + i, left);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(Blend);

void Resize(const float* in, float* out, int64_t batch, int64_t in_h, int64_t in_w,
            int64_t channels, std::span<const ResizeTap> y, std::span<const ResizeTap> x,
            ThreadPool& pool) {
  const auto blend = HWY_DYNAMIC_DISPATCH(Blend);
  const auto out_h = static_cast<int64_t>(y.size());
  const auto out_w = static_cast<int64_t>(x.size());
  const int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, out_w * channels));
  pool.ParallelFor(batch * out_h, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const ResizeTap& ty = y[static_cast<size_t>(row % out_h)];
      const float* image = in + row / out_h * in_h * in_w * channels;
      const float* top = image + ty.low * in_w * channels;
      const float* bottom = image + ty.high * in_w * channels;
      float* to = out + row * out_w * channels;
      for (const ResizeTap& tx : x) {
        blend(top + tx.low * channels, top + tx.high * channels, bottom + tx.low * channels,
              bottom + tx.high * channels, tx.weight, ty.weight, to, static_cast<size_t>(channels));
        to += channels;
      }
    }
  });
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
