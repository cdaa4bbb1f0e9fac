#include "cpu/kernels/int8_tile.h"

#include <cstddef>
#include <cstring>

#include "base/simd_targets.h"
#include "cpu/kernels/dot_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/int8_tile.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/tile_rows-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using D32 = hn::RebindToSigned<D>;
using V32 = hn::Vec<D32>;  // or two numbers of 16 bits in each lane

#if HWY_TARGET == HWY_SCALAR
// No vectors of 16-bit numbers there.
HWY_INLINE V32 LoadPairs(const int8_t* from) {
  const uint32_t low = static_cast<uint16_t>(from[0]), high = static_cast<uint16_t>(from[1]);
  return hn::Set(D32(), static_cast<int32_t>(low | high << 16));
}
#else
// A pair of bytes for each lane, each widened to 16 bits.
HWY_INLINE V32 LoadPairs(const int8_t* from) {
  const hn::Repartition<int16_t, D32> d16;
  const hn::Rebind<int8_t, decltype(d16)> d8;
  return hn::BitCast(D32(), hn::PromoteTo(d16, hn::LoadU(d8, from)));
}
#endif

// sum + a.low * b.low + a.high * b.high in each lane.
HWY_INLINE V32 AddPairProducts(V32 a, V32 b, V32 sum) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
  const hn::Repartition<int16_t, D32> d16;
  V32 unused = hn::Zero(D32());
  return hn::ReorderWidenMulAccumulate(D32(), hn::BitCast(d16, a), hn::BitCast(d16, b), sum,
                                       unused);
#else
  // Elsewhere the instruction that widens does not keep pairs together.
  const V32 low =
      hn::Mul(hn::ShiftRight<16>(hn::ShiftLeft<16>(a)), hn::ShiftRight<16>(hn::ShiftLeft<16>(b)));
  const V32 high = hn::Mul(hn::ShiftRight<16>(a), hn::ShiftRight<16>(b));
  return hn::Add(sum, hn::Add(low, high));
#endif
}

#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
#define ANEMONE_HAS_BYTE_TILE 1
// sum + the four products of bytes in each lane. Those of `a` are 0 to 127, so that no sum of two
// products exceeds 16 bits, where the first instruction would saturate.
HWY_INLINE V32 AddQuadProducts(V32 a, V32 b, V32 sum) {
#if HWY_TARGET <= HWY_AVX3
  const __m512i pairs = _mm512_maddubs_epi16(a.raw, b.raw);
  return hn::Add(sum, V32{_mm512_madd_epi16(pairs, _mm512_set1_epi16(1))});
#elif HWY_TARGET <= HWY_AVX2
  const __m256i pairs = _mm256_maddubs_epi16(a.raw, b.raw);
  return hn::Add(sum, V32{_mm256_madd_epi16(pairs, _mm256_set1_epi16(1))});
#else
  const __m128i pairs = _mm_maddubs_epi16(a.raw, b.raw);
  return hn::Add(sum, V32{_mm_madd_epi16(pairs, _mm_set1_epi16(1))});
#endif
}
#else
#define ANEMONE_HAS_BYTE_TILE 0
#endif

// How a kind of left operand is multiplied.
struct Pairs {
  using Left = NarrowInt;
  static constexpr int64_t kGroup = kPair;
  static HWY_INLINE V32 LoadRight(const int8_t* from) { return LoadPairs(from); }
  static HWY_INLINE V32 AddProducts(V32 a, V32 b, V32 sum) { return AddPairProducts(a, b, sum); }
};
#if ANEMONE_HAS_BYTE_TILE
struct Quads {
  using Left = uint8_t;
  static constexpr int64_t kGroup = kQuad;
  static HWY_INLINE V32 LoadRight(const int8_t* from) {
    const hn::Repartition<int8_t, D32> d8;
    return hn::BitCast(D32(), hn::LoadU(d8, from));
  }
  static HWY_INLINE V32 AddProducts(V32 a, V32 b, V32 sum) { return AddQuadProducts(a, b, sum); }
};
#endif

template <class Kind, int kRows, int kVectors>
HWY_NOINLINE void SumRows(const Int8TileArgs<typename Kind::Left>& args, int32_t* to) {
  using Left = typename Kind::Left;
  constexpr int64_t kGroup = Kind::kGroup;
  const D32 d32;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d32));
  V32 sums[kRows][kVectors];
  ANEMONE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const V32 start = hn::Load(d32, args.start + v * lanes);
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) sums[r][v] = start;
  }
  const int8_t* HWY_RESTRICT b = args.b;
  const Left* const* a = args.a;
  for (int64_t tap = 0; tap < args.taps; ++tap, a += kRows) {
    const Left* HWY_RESTRICT row[kRows];
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) row[r] = a[r];
    for (int64_t k = 0; k < args.groups; ++k) {
      V32 right[kVectors];
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) right[v] = Kind::LoadRight(b + v * kGroup * lanes);
      b += kVectors * kGroup * lanes;
      ANEMONE_UNROLL
      for (int r = 0; r < kRows; ++r) {
        int32_t group;
        std::memcpy(&group, row[r] + kGroup * k, sizeof group);
        const V32 left = hn::Set(d32, group);
        ANEMONE_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          sums[r][v] = Kind::AddProducts(left, right[v], sums[r][v]);
        }
      }
    }
  }
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      hn::Store(sums[r][v], d32, to + (r * kVectors + v) * lanes);
    }
  }
}

template <class Kind, int kVectors>
void TileOfWidth(const Int8TileArgs<typename Kind::Left>& args, int rows, int32_t* to) {
  switch (rows) {
#define ANEMONE_TILE(count) \
  case count:               \
    return SumRows<Kind, count, kVectors>(args, to);
    ANEMONE_TILE_ROWS(ANEMONE_TILE)
#undef ANEMONE_TILE
    default:
      return;  // the driver cuts no other tiles
  }
}

template <class Kind>
void TileOfKind(const Int8TileArgs<typename Kind::Left>& args, int rows, int32_t* to) {
  if (args.panel_width == static_cast<int>(hn::Lanes(D()))) {
    return TileOfWidth<Kind, 1>(args, rows, to);
  }
  TileOfWidth<Kind, 2>(args, rows, to);
}

Int8TileFunction<NarrowInt> NarrowTile() { return TileOfKind<Pairs>; }
Int8TileFunction<uint8_t> ByteTile() {
#if ANEMONE_HAS_BYTE_TILE
  return TileOfKind<Quads>;
#else
  return nullptr;
#endif
}
#undef ANEMONE_HAS_BYTE_TILE

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(NarrowTile);
HWY_EXPORT(ByteTile);

Int8TileFunction<NarrowInt> ChooseNarrowTile() { return HWY_DYNAMIC_DISPATCH(NarrowTile)(); }
Int8TileFunction<uint8_t> ChooseByteTile() {
  return TakesAllBytes() ? ChooseByteDotTile() : HWY_DYNAMIC_DISPATCH(ByteTile)();
}
bool TakesAllBytes() { return ChooseByteDotTile() != nullptr; }

}  // namespace anemone::cpu
#endif  // HWY_ONCE
