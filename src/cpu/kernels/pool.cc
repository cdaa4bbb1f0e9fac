#include "cpu/kernels/pool.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "base/simd_targets.h"
#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/pool.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// The part of a window that is inside the image: `rows` x `columns` pixels from `in` on.
template <typename Element>
struct PartOf {
  PartOf(const PoolShape& s, const Element* image, int64_t pixel)
      : row_stride(s.in_w * s.channels), channels(s.channels) {
    const int64_t y0 = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int64_t x0 = pixel % s.out_w * s.stride_w - s.pad_left;
    const int64_t y_begin = std::clamp<int64_t>(y0, 0, s.in_h);
    const int64_t x_begin = std::clamp<int64_t>(x0, 0, s.in_w);
    const int64_t index = pixel / (s.out_h * s.out_w);
    in = image + ((index * s.in_h + y_begin) * s.in_w + x_begin) * s.channels;
    rows = std::clamp(y0 + s.kernel_h, y_begin, s.in_h) - y_begin;
    columns = std::clamp(x0 + s.kernel_w, x_begin, s.in_w) - x_begin;
  }
  const Element* in;
  int64_t rows, columns;
  int64_t row_stride, channels;
  float scale = 1.0f;
};
using Part = PartOf<float>;

template <bool kMax>
HWY_INLINE V Reduce(const Part& part, int64_t c, size_t count, bool whole) {
  const D d;
  const auto load = [&](const float* from)
                        HWY_ATTR { return whole ? hn::LoadU(d, from) : LoadFirst(d, from, count); };
  V total = hn::Set(d, kMax ? -std::numeric_limits<float>::infinity() : 0.0f);
  for (int64_t y = 0; y < part.rows; ++y) {
    const float* from = part.in + y * part.row_stride + c;
    if constexpr (kMax) {
      for (int64_t x = 0; x < part.columns; ++x, from += part.channels) {
        total = MaxOrNan(total, load(from));
      }
    } else {
      V sum = hn::Zero(d);
      for (int64_t x = 0; x < part.columns; ++x, from += part.channels) {
        sum = hn::Add(sum, load(from));
      }
      total = hn::Add(total, sum);
    }
  }
  return kMax ? total : hn::Mul(total, hn::Set(d, part.scale));
}

void PoolPixel(bool max, const Part& part, float* out) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < part.channels; c += lanes) {
    const int64_t count = std::min(lanes, part.channels - c);
    const bool whole = count == lanes;
    const V v = max ? Reduce<true>(part, c, static_cast<size_t>(count), whole)
                    : Reduce<false>(part, c, static_cast<size_t>(count), whole);
    if (whole) {
      hn::StoreU(v, d, out + c);
    } else {
      StoreFirst(v, d, out + c, static_cast<size_t>(count));
    }
  }
}

void PoolPixels(PoolKind kind, const PoolShape& s, const float* in, float* out, int64_t begin,
                int64_t end) {
  for (int64_t pixel = begin; pixel < end; ++pixel) {
    Part part(s, in, pixel);
    const int64_t inside = std::max<int64_t>(part.rows * part.columns, 1);
    const int64_t count = kind == PoolKind::kAverageInside ? inside : s.kernel_h * s.kernel_w;
    part.scale = 1.0f / static_cast<float>(count);
    PoolPixel(kind == PoolKind::kMax, part, out + pixel * s.channels);
  }
}

void MaxPixelsOfBytes(const PoolShape& s, const uint8_t* in, uint8_t* out, int64_t begin,
                      int64_t end) {
  const hn::ScalableTag<uint8_t> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t pixel = begin; pixel < end; ++pixel) {
    const PartOf<uint8_t> part(s, in, pixel);
    uint8_t* to = out + pixel * s.channels;
    int64_t c = 0;
    for (; c + lanes <= s.channels; c += lanes) {
      auto most = hn::Zero(d);
      for (int64_t y = 0; y < part.rows; ++y) {
        const uint8_t* from = part.in + y * part.row_stride + c;
        for (int64_t x = 0; x < part.columns; ++x, from += part.channels) {
          most = hn::Max(most, hn::LoadU(d, from));
        }
      }
      hn::StoreU(most, d, to + c);
    }
    for (; c < s.channels; ++c) {
      uint8_t most = 0;
      for (int64_t y = 0; y < part.rows; ++y) {
        for (int64_t x = 0; x < part.columns; ++x) {
          most = std::max(most, part.in[y * part.row_stride + x * part.channels + c]);
        }
      }
      to[c] = most;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(PoolPixels);
HWY_EXPORT(MaxPixelsOfBytes);

namespace {
int64_t Grain(const PoolShape& s) {
  const int64_t work = std::max<int64_t>(1, s.kernel_h * s.kernel_w * s.channels);
  return std::max<int64_t>(1, 50'000 / work);
}
}  // namespace

void Pool(PoolKind kind, const PoolShape& s, const float* in, float* out, ThreadPool& pool) {
  const auto pixels = HWY_DYNAMIC_DISPATCH(PoolPixels);
  pool.ParallelFor(s.batch * s.out_h * s.out_w, Grain(s),
                   [&](int64_t begin, int64_t end) { pixels(kind, s, in, out, begin, end); });
}

bool HasNoEmptyWindow(const PoolShape& s) {
  return s.pad_top < s.kernel_h && s.pad_left < s.kernel_w &&
         (s.out_h - 1) * s.stride_h - s.pad_top < s.in_h &&
         (s.out_w - 1) * s.stride_w - s.pad_left < s.in_w;
}

void MaxPoolBytes(const PoolShape& s, const uint8_t* in, uint8_t* out, ThreadPool& pool) {
  const auto pixels = HWY_DYNAMIC_DISPATCH(MaxPixelsOfBytes);
  pool.ParallelFor(s.batch * s.out_h * s.out_w, Grain(s),
                   [&](int64_t begin, int64_t end) { pixels(s, in, out, begin, end); });
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
