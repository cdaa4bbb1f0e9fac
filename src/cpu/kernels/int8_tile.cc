#include "cpu/kernels/int8_tile.h"

#include <cstddef>
#include <cstring>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/int8_tile.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/tile_epilogue-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using D32 = hn::RebindToSigned<D>;
using V = hn::Vec<D>;
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
#if HWY_TARGET <= HWY_AVX3_DL && HWY_ARCH_X86
  return V32{_mm512_dpwssd_epi32(sum.raw, a.raw, b.raw)};
#elif HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
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

template <int kRows, int kVectors>
HWY_NOINLINE void Tile(const Int8TileArgs& args, const TileEpilogue& end) {
  const D d;
  const D32 d32;
  const size_t lanes = hn::Lanes(d);
  V32 sums[kRows][kVectors];
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::Zero(d32);
  }
  const int8_t* HWY_RESTRICT b = args.b;
  const NarrowInt* const* a = args.a;
  const int64_t pairs = (args.depth + 1) / 2;
  for (int64_t tap = 0; tap < args.taps; ++tap, a += kRows) {
    const NarrowInt* HWY_RESTRICT row[kRows];
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) row[r] = a[r];
    for (int64_t k = 0; k < pairs; ++k) {
      V32 right[kVectors];
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        right[v] = LoadPairs(b + v * 2 * lanes);
      }
      b += kVectors * 2 * lanes;
      ANEMONE_UNROLL
      for (int r = 0; r < kRows; ++r) {
        int32_t pair;
        std::memcpy(&pair, row[r] + 2 * k, sizeof pair);
        const V32 left = hn::Set(d32, pair);
        ANEMONE_UNROLL
        for (int v = 0; v < kVectors; ++v) sums[r][v] = AddPairProducts(left, right[v], sums[r][v]);
      }
    }
  }
  V acc[kRows][kVectors];
  ANEMONE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const V scale = hn::Load(d, args.scale + v * lanes);
    const V bias = hn::Load(d, args.bias + v * lanes);
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      acc[r][v] = hn::MulAdd(hn::ConvertTo(d, sums[r][v]), scale, bias);
    }
  }
  FinishTile(d, acc, end);
}

template <int kVectors>
void TileOfWidth(const Int8TileArgs& args, const TileEpilogue& end) {
  switch (end.rows) {
#define ANEMONE_TILE(rows) \
  case rows:               \
    return Tile<rows, kVectors>(args, end);
    ANEMONE_TILE_ROWS(ANEMONE_TILE)
#undef ANEMONE_TILE
    default:
      return;  // the driver cuts no other tiles
  }
}

void TileAnyRows(const Int8TileArgs& args, const TileEpilogue& end) {
  if (args.panel_width == static_cast<int>(hn::Lanes(D()))) return TileOfWidth<1>(args, end);
  return TileOfWidth<2>(args, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(TileAnyRows);

Int8TileFunction ChooseInt8Tile() { return HWY_DYNAMIC_DISPATCH(TileAnyRows); }

}  // namespace anemone::cpu
#endif  // HWY_ONCE
