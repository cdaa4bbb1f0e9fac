#include "cpu/kernels/depthwise_dot.h"

#include <algorithm>

#include "base/simd_level.h"
#include "base/simd_targets.h"
#include "hwy/highway.h"

#if HWY_ARCH_X86_64

#include <immintrin.h>

#define ANEMONE_AVX512_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define ANEMONE_AVX_VNNI __attribute__((target("avx2,fma,avxvnni")))

namespace anemone::cpu {
namespace {

// One loop for all kinds of vectors, as in dot_tile.cc. Each column of the image is interleaved once and used for all
// the pixels under whose kernels it lies.
#define ANEMONE_DEPTHWISE_DOT(attribute, Kind)                                                       \
  template <int kWidth, int kStride, int kPixels, bool kInside>                                      \
  attribute HWY_INLINE void Kind##Pixels(const DepthwiseDotArgs& args, int64_t first) {              \
    Kind::Vector sums[kPixels][4];                                                                   \
    ANEMONE_UNROLL                                                                                   \
    for (int v = 0; v < 4; ++v) {                                                                    \
      const Kind::Vector start = Kind::Load(args.start + v * Kind::kLanes);                          \
      ANEMONE_UNROLL                                                                                 \
      for (int p = 0; p < kPixels; ++p) sums[p][v] = start;                                          \
    }                                                                                                \
    const int64_t left = args.x + first * kStride;                                                   \
    const int8_t* HWY_RESTRICT weights = args.weights;                                               \
    for (int64_t g = 0; g < args.groups; ++g) {                                                      \
      const uint8_t* const* rows = args.rows + g * kDepthwiseRows;                                   \
      const int64_t* strides = args.strides + g * kDepthwiseRows;                                    \
      const int64_t step_a = strides[0], step_b = strides[1], step_c = strides[2];                   \
      const int64_t step_e = strides[3];                                                             \
      const uint8_t *a = rows[0] + left * step_a, *b = rows[1] + left * step_b;                      \
      const uint8_t *c = rows[2] + left * step_c, *e = rows[3] + left * step_e;                      \
      ANEMONE_UNROLL                                                                                 \
      for (int i = 0; i < (kPixels - 1) * kStride + kWidth; ++i) {                                   \
        Kind::Vector quads[4];                                                                       \
        if (kInside || (left + i >= 0 && left + i < args.columns)) {                                 \
          Kind::Interleave(a, b, c, e, quads);                                                       \
        } else {                                                                                     \
          Kind::Interleave(args.zeros, args.zeros, args.zeros, args.zeros, quads);                   \
        }                                                                                            \
        a += step_a;                                                                                 \
        b += step_b;                                                                                 \
        c += step_c;                                                                                 \
        e += step_e;                                                                                 \
        ANEMONE_UNROLL                                                                               \
        for (int p = 0; p < kPixels; ++p) {                                                          \
          const int kx = i - p * kStride;                                                            \
          if (kx < 0 || kx >= kWidth) continue;                                                      \
          ANEMONE_UNROLL                                                                             \
          for (int v = 0; v < 4; ++v) {                                                              \
            sums[p][v] = Kind::Add(sums[p][v], quads[v],                                             \
                                   Kind::Load(weights + (kx * 4 + v) * Kind::kBytes));               \
          }                                                                                          \
        }                                                                                            \
      }                                                                                              \
      weights += kWidth * 4 * Kind::kBytes;                                                          \
    }                                                                                                \
    ANEMONE_UNROLL                                                                                   \
    for (int p = 0; p < kPixels; ++p) {                                                              \
      Kind::Vector turned[4];                                                                        \
      Kind::Turn(sums[p], turned);                                                                   \
      ANEMONE_UNROLL                                                                                 \
      for (int v = 0; v < 4; ++v) {                                                                  \
        const int64_t channel = v * Kind::kLanes;                                                    \
        Kind::Store(args.sums + channel / args.panel_width * args.panel_stride +                     \
                        (first + p) * args.panel_width + channel % args.panel_width,                 \
                    turned[v]);                                                                      \
      }                                                                                              \
    }                                                                                                \
  }                                                                                                  \
  template <int kWidth, int kStride, int kPixels>                                                    \
  attribute void Kind##Run(const DepthwiseDotArgs& args, int64_t first) {                            \
    const int64_t left = args.x + first * kStride;                                                   \
    if (left >= 0 && left + (kPixels - 1) * kStride + kWidth <= args.columns) {                      \
      Kind##Pixels<kWidth, kStride, kPixels, true>(args, first);                                     \
    } else {                                                                                         \
      Kind##Pixels<kWidth, kStride, kPixels, false>(args, first);                                    \
    }                                                                                                \
  }                                                                                                  \
  template <int kWidth, int kStride>                                                                 \
  attribute void Kind##Row(const DepthwiseDotArgs& args, int64_t pixels) {                           \
    if (pixels < Kind::kPixels) {                                                                    \
      for (int64_t first = 0; first < pixels; ++first) Kind##Run<kWidth, kStride, 1>(args, first);   \
      return;                                                                                        \
    }                                                                                                \
    /* The last run overlaps the one before when it is not full: the same sums are written twice. */ \
    for (int64_t first = 0; first < pixels; first += Kind::kPixels) {                                \
      Kind##Run<kWidth, kStride, Kind::kPixels>(args, std::min(first, pixels - Kind::kPixels));      \
    }                                                                                                \
  }                                                                                                  \
  DepthwiseDotFunction Choose##Kind(int64_t kernel_w, int64_t stride_w) {                            \
    const bool one = stride_w == 1;                                                                  \
    switch (kernel_w) {                                                                              \
      case 3:                                                                                        \
        return one ? Kind##Row<3, 1> : Kind##Row<3, 2>;                                              \
      case 5:                                                                                        \
        return one ? Kind##Row<5, 1> : Kind##Row<5, 2>;                                              \
      default:                                                                                       \
        return one ? Kind##Row<7, 1> : Kind##Row<7, 2>;                                              \
    }                                                                                                \
  }

// 64 channels.
struct Wide {
  using Vector = __m512i;
  static constexpr int64_t kLanes = 16, kBytes = 64;
  static constexpr int kPixels = 4;
  ANEMONE_AVX512_VNNI static HWY_INLINE __m512i Load(const void* from) {
    return _mm512_load_si512(from);
  }
  ANEMONE_AVX512_VNNI static HWY_INLINE void Store(int32_t* to, __m512i v) {
    _mm512_store_si512(to, v);
  }
  ANEMONE_AVX512_VNNI static HWY_INLINE __m512i Add(__m512i sum, __m512i left, __m512i right) {
    return _mm512_dpbusd_epi32(sum, left, right);
  }
  ANEMONE_AVX512_VNNI static HWY_INLINE void Interleave(const uint8_t* a, const uint8_t* b,
                                                        const uint8_t* c, const uint8_t* e,
                                                        __m512i (&to)[4]) {
    const __m512i row_a = _mm512_loadu_si512(a), row_b = _mm512_loadu_si512(b);
    const __m512i row_c = _mm512_loadu_si512(c), row_e = _mm512_loadu_si512(e);
    const __m512i low_ab = _mm512_unpacklo_epi8(row_a, row_b);
    const __m512i high_ab = _mm512_unpackhi_epi8(row_a, row_b);
    const __m512i low_ce = _mm512_unpacklo_epi8(row_c, row_e);
    const __m512i high_ce = _mm512_unpackhi_epi8(row_c, row_e);
    to[0] = _mm512_unpacklo_epi16(low_ab, low_ce);
    to[1] = _mm512_unpackhi_epi16(low_ab, low_ce);
    to[2] = _mm512_unpacklo_epi16(high_ab, high_ce);
    to[3] = _mm512_unpackhi_epi16(high_ab, high_ce);
  }
  // From the order of Interleave to that of the channels.
  ANEMONE_AVX512_VNNI static HWY_INLINE void Turn(const __m512i (&from)[4], __m512i (&to)[4]) {
    const __m512i low_ab = _mm512_shuffle_i32x4(from[0], from[1], 0x44);
    const __m512i low_ce = _mm512_shuffle_i32x4(from[2], from[3], 0x44);
    const __m512i high_ab = _mm512_shuffle_i32x4(from[0], from[1], 0xee);
    const __m512i high_ce = _mm512_shuffle_i32x4(from[2], from[3], 0xee);
    to[0] = _mm512_shuffle_i32x4(low_ab, low_ce, 0x88);
    to[1] = _mm512_shuffle_i32x4(low_ab, low_ce, 0xdd);
    to[2] = _mm512_shuffle_i32x4(high_ab, high_ce, 0x88);
    to[3] = _mm512_shuffle_i32x4(high_ab, high_ce, 0xdd);
  }
};

// 32 channels; what Narrow and NarrowOf512 have in common.
#define ANEMONE_NARROW_KIND(attribute, Kind, dot, pixels)                               \
  struct Kind {                                                                         \
    using Vector = __m256i;                                                             \
    static constexpr int64_t kLanes = 8, kBytes = 32;                                   \
    static constexpr int kPixels = pixels;                                              \
    attribute static HWY_INLINE __m256i Load(const void* from) {                        \
      return _mm256_load_si256(static_cast<const __m256i*>(from));                      \
    }                                                                                   \
    attribute static HWY_INLINE __m256i LoadRow(const uint8_t* from) {                  \
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));                \
    }                                                                                   \
    attribute static HWY_INLINE void Store(int32_t* to, __m256i v) {                    \
      _mm256_store_si256(reinterpret_cast<__m256i*>(to), v);                            \
    }                                                                                   \
    attribute static HWY_INLINE __m256i Add(__m256i sum, __m256i left, __m256i right) { \
      return dot(sum, left, right);                                                     \
    }                                                                                   \
    attribute static HWY_INLINE void Interleave(const uint8_t* a, const uint8_t* b,     \
                                                const uint8_t* c, const uint8_t* e,     \
                                                __m256i (&to)[4]) {                     \
      const __m256i row_a = LoadRow(a), row_b = LoadRow(b);                             \
      const __m256i row_c = LoadRow(c), row_e = LoadRow(e);                             \
      const __m256i low_ab = _mm256_unpacklo_epi8(row_a, row_b);                        \
      const __m256i high_ab = _mm256_unpackhi_epi8(row_a, row_b);                       \
      const __m256i low_ce = _mm256_unpacklo_epi8(row_c, row_e);                        \
      const __m256i high_ce = _mm256_unpackhi_epi8(row_c, row_e);                       \
      to[0] = _mm256_unpacklo_epi16(low_ab, low_ce);                                    \
      to[1] = _mm256_unpackhi_epi16(low_ab, low_ce);                                    \
      to[2] = _mm256_unpacklo_epi16(high_ab, high_ce);                                  \
      to[3] = _mm256_unpackhi_epi16(high_ab, high_ce);                                  \
    }                                                                                   \
    attribute static HWY_INLINE void Turn(const __m256i (&from)[4], __m256i (&to)[4]) { \
      to[0] = _mm256_permute2x128_si256(from[0], from[1], 0x20);                        \
      to[1] = _mm256_permute2x128_si256(from[2], from[3], 0x20);                        \
      to[2] = _mm256_permute2x128_si256(from[0], from[1], 0x31);                        \
      to[3] = _mm256_permute2x128_si256(from[2], from[3], 0x31);                        \
    }                                                                                   \
  };

ANEMONE_NARROW_KIND(ANEMONE_AVX_VNNI, Narrow, _mm256_dpbusd_avx_epi32, 2)
ANEMONE_NARROW_KIND(ANEMONE_AVX512_VNNI, NarrowOf512, _mm256_dpbusd_epi32, 4)
#undef ANEMONE_NARROW_KIND

ANEMONE_DEPTHWISE_DOT(ANEMONE_AVX512_VNNI, Wide)
ANEMONE_DEPTHWISE_DOT(ANEMONE_AVX512_VNNI, NarrowOf512)
ANEMONE_DEPTHWISE_DOT(ANEMONE_AVX_VNNI, Narrow)
#undef ANEMONE_DEPTHWISE_DOT

}  // namespace

DepthwiseDot ChooseDepthwiseDot(int64_t channels, int64_t kernel_w, int64_t stride_w) {
  const bool known = (kernel_w == 3 || kernel_w == 5 || kernel_w == 7) && stride_w <= 2;
  if (!known) return {};
  if (Dots().avx512_vnni) {
    if (channels > 32) return {64, ChooseWide(kernel_w, stride_w)};
    return {32, ChooseNarrowOf512(kernel_w, stride_w)};
  }
  if (Dots().avx_vnni) return {32, ChooseNarrow(kernel_w, stride_w)};
  return {};
}

}  // namespace anemone::cpu

#else

namespace anemone::cpu {
DepthwiseDot ChooseDepthwiseDot(int64_t, int64_t, int64_t) { return {}; }
}  // namespace anemone::cpu

#endif
