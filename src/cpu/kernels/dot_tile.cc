#include "cpu/kernels/dot_tile.h"

#include <cstddef>
#include <cstring>

#include "base/simd_level.h"
#include "base/simd_targets.h"
#include "hwy/highway.h"

#if HWY_ARCH_X86_64

#include <immintrin.h>

// The instructions of each kind, for functions that are called only where the machine has them.
#define ANEMONE_AVX512_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define ANEMONE_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define ANEMONE_AVX_VNNI __attribute__((target("avx2,fma,avxvnni")))

namespace anemone::cpu {
namespace {

// One loop for all kinds: a kind says what vectors are, and how they are loaded, added and stored. (Not a
// template of one function over kinds: the attribute must name the instructions of each.)
#define ANEMONE_DOT_ROWS(attribute, Kind)                                                        \
  template <int kRows, int kVectors>                                                             \
  attribute __attribute__((noinline)) void Kind##Rows(const Kind::Args& args, Kind::Sum* to) {   \
    Kind::Vector sums[kRows][kVectors];                                                          \
    ANEMONE_UNROLL                                                                               \
    for (int v = 0; v < kVectors; ++v) {                                                         \
      const Kind::Vector start = Kind::LoadSums(args.start + v * Kind::kLanes);                  \
      ANEMONE_UNROLL                                                                             \
      for (int r = 0; r < kRows; ++r) sums[r][v] = start;                                        \
    }                                                                                            \
    const auto* HWY_RESTRICT b = args.b;                                                         \
    const auto* const* a = args.a;                                                               \
    for (int64_t tap = 0; tap < args.taps; ++tap, a += kRows) {                                  \
      const Kind::Left* HWY_RESTRICT row[kRows];                                                 \
      ANEMONE_UNROLL                                                                             \
      for (int r = 0; r < kRows; ++r) row[r] = a[r];                                             \
      for (int64_t k = 0; k < args.groups; ++k) {                                                \
        Kind::Vector right[kVectors];                                                            \
        ANEMONE_UNROLL                                                                           \
        for (int v = 0; v < kVectors; ++v) {                                                     \
          right[v] = Kind::LoadRight(b + v * Kind::kGroup * Kind::kLanes);                       \
        }                                                                                        \
        b += kVectors * Kind::kGroup * Kind::kLanes;                                             \
        ANEMONE_UNROLL                                                                           \
        for (int r = 0; r < kRows; ++r) {                                                        \
          int32_t group;                                                                         \
          std::memcpy(&group, row[r] + Kind::kGroup * k, sizeof group);                          \
          const Kind::Vector left = Kind::Broadcast(group);                                      \
          ANEMONE_UNROLL                                                                         \
          for (int v = 0; v < kVectors; ++v) sums[r][v] = Kind::Add(sums[r][v], left, right[v]); \
        }                                                                                        \
      }                                                                                          \
    }                                                                                            \
    ANEMONE_UNROLL                                                                               \
    for (int r = 0; r < kRows; ++r) {                                                            \
      ANEMONE_UNROLL                                                                             \
      for (int v = 0; v < kVectors; ++v) {                                                       \
        Kind::StoreSums(to + (r * kVectors + v) * Kind::kLanes, sums[r][v]);                     \
      }                                                                                          \
    }                                                                                            \
  }

struct Bytes512 {
  using Args = Int8TileArgs<uint8_t>;
  using Left = uint8_t;
  using Sum = int32_t;
  using Vector = __m512i;
  static constexpr int64_t kGroup = kQuad, kLanes = 16;
  ANEMONE_AVX512_VNNI static HWY_INLINE __m512i LoadSums(const int32_t* from) {
    return _mm512_load_si512(from);
  }
  ANEMONE_AVX512_VNNI static HWY_INLINE __m512i LoadRight(const int8_t* from) {
    return _mm512_loadu_si512(from);
  }
  ANEMONE_AVX512_VNNI static HWY_INLINE __m512i Broadcast(int32_t group) {
    return _mm512_set1_epi32(group);
  }
  ANEMONE_AVX512_VNNI static HWY_INLINE __m512i Add(__m512i sum, __m512i left, __m512i right) {
    return _mm512_dpbusd_epi32(sum, left, right);
  }
  ANEMONE_AVX512_VNNI static HWY_INLINE void StoreSums(int32_t* to, __m512i sums) {
    _mm512_store_si512(to, sums);
  }
};

struct Bytes256 {
  using Args = Int8TileArgs<uint8_t>;
  using Left = uint8_t;
  using Sum = int32_t;
  using Vector = __m256i;
  static constexpr int64_t kGroup = kQuad, kLanes = 8;
  ANEMONE_AVX_VNNI static HWY_INLINE __m256i LoadSums(const int32_t* from) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
  }
  ANEMONE_AVX_VNNI static HWY_INLINE __m256i LoadRight(const int8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  ANEMONE_AVX_VNNI static HWY_INLINE __m256i Broadcast(int32_t group) {
    return _mm256_set1_epi32(group);
  }
  ANEMONE_AVX_VNNI static HWY_INLINE __m256i Add(__m256i sum, __m256i left, __m256i right) {
    return _mm256_dpbusd_avx_epi32(sum, left, right);
  }
  ANEMONE_AVX_VNNI static HWY_INLINE void StoreSums(int32_t* to, __m256i sums) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), sums);
  }
};

struct Bf16Pairs512 {
  using Args = Bf16TileArgs;
  using Left = Bf16;
  using Sum = float;
  using Vector = __m512;
  static constexpr int64_t kGroup = kPair, kLanes = 16;
  ANEMONE_AVX512_BF16 static HWY_INLINE __m512 LoadSums(const float* from) {
    return _mm512_load_ps(from);
  }
  ANEMONE_AVX512_BF16 static HWY_INLINE __m512 LoadRight(const Bf16* from) {
    return _mm512_loadu_ps(from);
  }
  ANEMONE_AVX512_BF16 static HWY_INLINE __m512 Broadcast(int32_t group) {
    return _mm512_castsi512_ps(_mm512_set1_epi32(group));
  }
  ANEMONE_AVX512_BF16 static HWY_INLINE __m512 Add(__m512 sum, __m512 left, __m512 right) {
    return _mm512_dpbf16_ps(sum, (__m512bh)left, (__m512bh)right);
  }
  ANEMONE_AVX512_BF16 static HWY_INLINE void StoreSums(float* to, __m512 sums) {
    _mm512_store_ps(to, sums);
  }
};

ANEMONE_DOT_ROWS(ANEMONE_AVX512_VNNI, Bytes512)
ANEMONE_DOT_ROWS(ANEMONE_AVX_VNNI, Bytes256)
ANEMONE_DOT_ROWS(ANEMONE_AVX512_BF16, Bf16Pairs512)
#undef ANEMONE_DOT_ROWS

// A table of functions for each number of rows, from 1 on, and of vectors.
template <typename Args, typename Sum>
using RowsFunction = void (*)(const Args& args, Sum* to);
#define ANEMONE_ROWS_6(Rows, v) \
  Rows<1, v>, Rows<2, v>, Rows<3, v>, Rows<4, v>, Rows<5, v>, Rows<6, v>
#define ANEMONE_ROWS_14(Rows, v)                                                         \
  ANEMONE_ROWS_6(Rows, v), Rows<7, v>, Rows<8, v>, Rows<9, v>, Rows<10, v>, Rows<11, v>, \
      Rows<12, v>, Rows<13, v>, Rows<14, v>
#define ANEMONE_DOT_TILE(Name, Kind, LIST)                                                      \
  void Name(const Kind::Args& args, int rows, Kind::Sum* sums) {                                \
    static constexpr RowsFunction<Kind::Args, Kind::Sum> kOneVector[] = {LIST(Kind##Rows, 1)};  \
    static constexpr RowsFunction<Kind::Args, Kind::Sum> kTwoVectors[] = {LIST(Kind##Rows, 2)}; \
    (args.panel_width == Kind::kLanes ? kOneVector : kTwoVectors)[rows - 1](args, sums);        \
  }

ANEMONE_DOT_TILE(ByteTile512, Bytes512, ANEMONE_ROWS_14)
ANEMONE_DOT_TILE(ByteTile256, Bytes256, ANEMONE_ROWS_6)
ANEMONE_DOT_TILE(Bf16Tile512, Bf16Pairs512, ANEMONE_ROWS_14)
#undef ANEMONE_DOT_TILE
#undef ANEMONE_ROWS_14
#undef ANEMONE_ROWS_6

ANEMONE_AVX512_BF16 void RoundRow(const float* from, int64_t n, Bf16* to) {
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512 low = _mm512_loadu_ps(from + i), high = _mm512_loadu_ps(from + i + 16);
    const __m512bh rounded = _mm512_cvtne2ps_pbh(high, low);
    _mm512_storeu_si512(to + i, (__m512i)rounded);
  }
  for (; i < n; i += 16) {
    const auto mask = static_cast<__mmask16>(n - i >= 16 ? 0xffff : (1 << (n - i)) - 1);
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, from + i));
    _mm256_mask_storeu_epi16(to + i, mask, (__m256i)rounded);
  }
}

}  // namespace

Int8TileFunction<uint8_t> ChooseByteDotTile() {
  if (Dots().avx512_vnni) return ByteTile512;
  return Dots().avx_vnni ? ByteTile256 : nullptr;
}
Bf16TileFunction ChooseBf16DotTile() { return Dots().avx512_bf16 ? Bf16Tile512 : nullptr; }

void RoundToBf16(const float* from, int64_t rows, int64_t columns, int64_t padded, Bf16* to) {
  if (columns == padded) return RoundRow(from, rows * columns, to);
  for (int64_t r = 0; r < rows; ++r, from += columns, to += padded) {
    RoundRow(from, columns, to);
    std::memset(to + columns, 0, static_cast<size_t>(padded - columns) * sizeof(Bf16));
  }
}

}  // namespace anemone::cpu

#else

namespace anemone::cpu {
Int8TileFunction<uint8_t> ChooseByteDotTile() { return nullptr; }
Bf16TileFunction ChooseBf16DotTile() { return nullptr; }
void RoundToBf16(const float*, int64_t, int64_t, int64_t, Bf16*) {}
}  // namespace anemone::cpu

#endif
