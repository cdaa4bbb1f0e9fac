// One row of a depthwise convolution, for the current Highway target and any element.
#if defined(ANEMONE_CPU_KERNELS_DEPTHWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ANEMONE_CPU_KERNELS_DEPTHWISE_INL_H_
#undef ANEMONE_CPU_KERNELS_DEPTHWISE_INL_H_
#else
#define ANEMONE_CPU_KERNELS_DEPTHWISE_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/simd_targets.h"
#include "cpu/kernels/depthwise.h"
#include "cpu/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

// A run of output pixels of one row, and the taps that are inside the image for all of them.
template <typename Element>
struct Window {
  const Element* in;     // the image
  const float* weights;  // [taps][stride], then the bias
  int64_t stride;
  float* out;    // the first pixel
  int64_t y, x;  // input position of tap (0, 0) for the first pixel
  int64_t ky_begin, ky_end, kx_begin, kx_end;
  int32_t zero;  // the byte that stands for 0
};

template <class D>
HWY_INLINE hn::Vec<D> LoadValues(D d, const float* from, int32_t /*zero*/) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE hn::Vec<D> LoadValues(D d, const NarrowInt* from, int32_t /*zero*/) {
  const hn::RebindToSigned<D> di;
  const hn::Rebind<NarrowInt, D> d_in;
  return hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d_in, from)));
}
template <class D>
HWY_INLINE hn::Vec<D> LoadValues(D d, const uint8_t* from, int32_t zero) {
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint8_t, D> d_in;
  const auto wide = hn::PromoteTo(di, hn::LoadU(d_in, from));
  return hn::ConvertTo(d, hn::Sub(wide, hn::Set(di, zero)));
}
template <class D>
HWY_INLINE hn::Vec<D> LoadFirstValues(D d, const float* from, size_t n, int32_t /*zero*/) {
  return LoadFirst(d, from, n);
}
template <class D, typename Element>
HWY_INLINE hn::Vec<D> LoadFirstValues(D d, const Element* from, size_t n, int32_t zero) {
  HWY_ALIGN Element lanes[hn::MaxLanes(D())] = {};
  for (size_t i = 0; i < n; ++i) lanes[i] = from[i];
  return LoadValues(d, lanes, zero);
}

template <int kPixels, int kVectors, bool kWhole, typename Element>
HWY_INLINE void Channels(const ConvShape& s, const Window<Element>& w, int64_t c, size_t count) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V acc[kPixels][kVectors];
  ANEMONE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const V bias = hn::Load(d, w.weights + s.kernel_h * s.kernel_w * w.stride + c + v * lanes);
    ANEMONE_UNROLL
    for (int p = 0; p < kPixels; ++p) acc[p][v] = bias;
  }
  const int64_t step = s.stride_w * s.in_c;
  for (int64_t ky = w.ky_begin; ky < w.ky_end; ++ky) {
    const Element* line = w.in + ((w.y + ky * s.dilation_h) * s.in_w + w.x) * s.in_c + c;
    const float* filter = w.weights + ky * s.kernel_w * w.stride + c;
    for (int64_t kx = w.kx_begin; kx < w.kx_end; ++kx) {
      const Element* from = line + kx * s.dilation_w * s.in_c;
      V weight[kVectors];
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        weight[v] = hn::Load(d, filter + kx * w.stride + v * lanes);
      }
      ANEMONE_UNROLL
      for (int p = 0; p < kPixels; ++p, from += step) {
        ANEMONE_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          const V value = kWhole ? LoadValues(d, from + v * lanes, w.zero)
                                 : LoadFirstValues(d, from, count, w.zero);
          acc[p][v] = hn::MulAdd(value, weight[v], acc[p][v]);
        }
      }
    }
  }
  float* to = w.out + c;
  ANEMONE_UNROLL
  for (int p = 0; p < kPixels; ++p, to += s.out_c) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      if (kWhole) {
        hn::StoreU(acc[p][v], d, to + v * lanes);
      } else {
        StoreFirst(acc[p][v], d, to, count);
      }
    }
  }
}

// Enough accumulators to hide the latency of a multiply-add: several vectors of channels when there
// are few pixels.
template <int kPixels, typename Element>
void Pixels(const ConvShape& s, const Window<Element>& w) {
  constexpr int kVectors = kPixels >= 8 ? 1 : kPixels == 4 ? 2 : 4;
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  int64_t c = 0;
  for (; c + kVectors * lanes <= s.out_c; c += kVectors * lanes) {
    Channels<kPixels, kVectors, true>(s, w, c, lanes);
  }
  for (; c + lanes <= s.out_c; c += lanes) Channels<kPixels, 1, true>(s, w, c, lanes);
  if (c < s.out_c) Channels<kPixels, 1, false>(s, w, c, static_cast<size_t>(s.out_c - c));
}

// kPixels outputs of a kernel kWidth wide, undilated. Each input is loaded once and used for
// all the outputs that need it; columns outside the image are skipped. The sums run in the
// order of Channels.
template <int kWidth, int kStride, int kPixels, bool kWhole, typename Element>
HWY_INLINE void SlideChannels(const ConvShape& s, const Window<Element>& w, int64_t c,
                              size_t count) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V acc[kPixels];
  const V bias = hn::Load(d, w.weights + s.kernel_h * kWidth * w.stride + c);
  ANEMONE_UNROLL
  for (int p = 0; p < kPixels; ++p) acc[p] = bias;
  for (int64_t ky = w.ky_begin; ky < w.ky_end; ++ky) {
    const Element* line = w.in + ((w.y + ky * s.dilation_h) * s.in_w + w.x) * s.in_c + c;
    const float* filter = w.weights + ky * kWidth * w.stride + c;
    V weight[kWidth];
    ANEMONE_UNROLL
    for (int kx = 0; kx < kWidth; ++kx) weight[kx] = hn::Load(d, filter + kx * w.stride);
    ANEMONE_UNROLL
    for (int i = 0; i < (kPixels - 1) * kStride + kWidth; ++i) {
      const int64_t x = w.x + i;
      if (x < 0 || x >= s.in_w) continue;
      const Element* from = line + i * s.in_c;
      const V value =
          kWhole ? LoadValues(d, from, w.zero) : LoadFirstValues(d, from, count, w.zero);
      ANEMONE_UNROLL
      for (int p = 0; p < kPixels; ++p) {
        const int kx = i - p * kStride;
        if (kx >= 0 && kx < kWidth) acc[p] = hn::MulAdd(value, weight[kx], acc[p]);
      }
    }
  }
  float* to = w.out + c;
  ANEMONE_UNROLL
  for (int p = 0; p < kPixels; ++p, to += s.out_c) {
    if (kWhole) {
      hn::StoreU(acc[p], d, to);
    } else {
      StoreFirst(acc[p], d, to, count);
    }
  }
}

template <int kWidth, int kStride, int kPixels, typename Element>
void SlideRow(const ConvShape& s, Window<Element> w) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  float* const row = w.out;
  for (int64_t x = 0; x < s.out_w; x += kPixels) {
    // The last run overlaps the one before when it is not full: the same values are written twice.
    const int64_t first = HWY_MIN(x, s.out_w - kPixels);
    w.out = row + first * s.out_c;
    w.x = first * kStride - s.pad_left;
    int64_t c = 0;
    for (; c + lanes <= s.out_c; c += lanes) {
      SlideChannels<kWidth, kStride, kPixels, true>(s, w, c, 0);
    }
    if (c < s.out_c) {
      SlideChannels<kWidth, kStride, kPixels, false>(s, w, c, static_cast<size_t>(s.out_c - c));
    }
  }
}

template <int kWidth, typename Element>
bool SlideRowOf(const ConvShape& s, const Window<Element>& w) {
  if (s.stride_w == 1 && s.out_w >= 8) {
    SlideRow<kWidth, 1, 8>(s, w);
  } else if (s.stride_w == 1 && s.out_w >= 4) {
    SlideRow<kWidth, 1, 4>(s, w);
  } else if (s.stride_w == 2 && s.out_w >= 4) {
    SlideRow<kWidth, 2, 4>(s, w);
  } else {
    return false;
  }
  return true;
}

// Returns whether it did the row: only for common kernels.
template <typename Element>
bool Slide(const ConvShape& s, const Window<Element>& w) {
  if (s.dilation_w != 1) return false;
  switch (s.kernel_w) {
    case 3:
      return SlideRowOf<3>(s, w);
    case 5:
      return SlideRowOf<5>(s, w);
    case 7:
      return SlideRowOf<7>(s, w);
    default:
      return false;
  }
}

// One of the batch * out_h rows.
template <typename Element>
void Row(const ConvShape& s, const Element* in, int zero, const float* weights, float* out,
         int64_t row) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  Window<Element> w{};
  w.weights = weights;
  w.zero = zero;
  w.stride = (s.out_c + lanes - 1) / lanes * lanes;
  // Pixels [left, right) have all their taps inside, horizontally.
  const auto first_inside = [&](int64_t pad) { return (pad + s.stride_w - 1) / s.stride_w; };
  const int64_t left = std::clamp<int64_t>(first_inside(s.pad_left), 0, s.out_w);
  const int64_t last = s.in_w - 1 - (s.kernel_w - 1) * s.dilation_w + s.pad_left;
  const int64_t right = last < 0 ? left : std::clamp(last / s.stride_w + 1, left, s.out_w);
  w.in = in + row / s.out_h * s.in_h * s.in_w * s.in_c;
  w.y = row % s.out_h * s.stride_h - s.pad_top;
  w.ky_begin = std::min(w.y >= 0 ? 0 : (-w.y + s.dilation_h - 1) / s.dilation_h, s.kernel_h);
  w.ky_end = w.y >= s.in_h ? 0 : std::min(s.kernel_h, (s.in_h - 1 - w.y) / s.dilation_h + 1);
  w.out = out;
  if (Slide(s, w)) return;
  for (int64_t x = 0; x < s.out_w;) {
    w.out = out + x * s.out_c;
    w.x = x * s.stride_w - s.pad_left;
    w.kx_begin = 0;
    w.kx_end = s.kernel_w;
    if (x >= left && x + 8 <= right) {
      Pixels<8>(s, w);
      x += 8;
    } else if (x >= left && x + 4 <= right) {
      Pixels<4>(s, w);
      x += 4;
    } else {
      w.kx_begin = std::min(w.x >= 0 ? 0 : (-w.x + s.dilation_w - 1) / s.dilation_w, s.kernel_w);
      w.kx_end = w.x >= s.in_w ? 0 : std::min(s.kernel_w, (s.in_w - 1 - w.x) / s.dilation_w + 1);
      Pixels<1>(s, w);
      x += 1;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#endif  // include guard
