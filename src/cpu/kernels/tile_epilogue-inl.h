// The end of some rows of a tile, for the current Highway target: steps on their registers, and the store.
#if defined(ANEMONE_CPU_KERNELS_TILE_EPILOGUE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ANEMONE_CPU_KERNELS_TILE_EPILOGUE_INL_H_
#undef ANEMONE_CPU_KERNELS_TILE_EPILOGUE_INL_H_
#else
#define ANEMONE_CPU_KERNELS_TILE_EPILOGUE_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/simd_targets.h"
#include "cpu/kernels/math-inl.h"
#include "cpu/kernels/tile_epilogue.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

// The first `count` values at `from`, `step` apart (0 or 1).
template <class D>
HWY_INLINE hn::Vec<D> LoadOperand(D d, const float* from, int64_t step, int64_t count) {
  if (step == 0) return hn::Set(d, *from);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  return count >= lanes ? hn::LoadU(d, from) : LoadFirst(d, from, static_cast<size_t>(count));
}

// What the first `count` bytes at `from` stand for.
template <class D>
HWY_INLINE hn::Vec<D> LoadBytes(D d, const uint8_t* from, const TileStep& step, int64_t count) {
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint8_t, D> d_in;
  HWY_ALIGN uint8_t first[hn::MaxLanes(D())] = {};
  if (count < static_cast<int64_t>(hn::Lanes(d))) {
    for (int64_t i = 0; i < count; ++i) first[i] = from[i];
    from = first;
  }
  const auto whole = hn::Sub(hn::PromoteTo(di, hn::LoadU(d_in, from)), hn::Set(di, step.zero));
  return hn::Mul(hn::ConvertTo(d, whole), hn::Set(d, step.scale));
}

// f(accumulator, operand) for every accumulator.
template <int kRows, int kVectors, class D, class V, class F>
HWY_INLINE void CombineTile(D d, V (&acc)[kRows][kVectors], const TileStep& step, int columns,
                            const F& f) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const int64_t row = r * step.row_stride;
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const int64_t left = columns - v * lanes;
      if (left <= 0) continue;
      if (step.bytes != nullptr) {
        acc[r][v] = f(acc[r][v], LoadBytes(d, step.bytes + row + v * lanes, step, left));
        continue;
      }
      const float* from = step.operand + row;
      const V operand =
          LoadOperand(d, from + v * lanes * step.column_stride, step.column_stride, left);
      acc[r][v] = f(acc[r][v], operand);
    }
  }
}

template <int kRows, int kVectors, class V, class F>
HWY_INLINE void MapTile(V (&acc)[kRows][kVectors], const F& f) {
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) acc[r][v] = f(acc[r][v]);
  }
}

// Quantize of math-inl.h for all accumulators, with one question for them all whether the product with
// the reciprocal might round differently.
template <int kRows, int kVectors, class D, class V>
HWY_INLINE void QuantizeTile(D d, V (&acc)[kRows][kVectors], const TileStep& step) {
  constexpr float kAlmostTie = 0.4999f;
  const bool is_signed = step.kind == StepKind::kQuantizeInt8;
  const float low = is_signed ? -128.0f : 0.0f, high = is_signed ? 127.0f : 255.0f;
  const bool has_reciprocal = step.alpha > 1e-30f && step.alpha < 1e30f;
  const V reciprocal = hn::Set(d, has_reciprocal ? 1.0f / step.alpha : 0.0f);
  const V almost_tie = hn::Set(d, kAlmostTie);
  V whole[kRows][kVectors];
  auto sure = hn::Eq(hn::Zero(d), hn::Zero(d));
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const V product = hn::Mul(acc[r][v], reciprocal);
      whole[r][v] = hn::Round(product);
      // False for NaN, too.
      sure = hn::And(sure, hn::Le(hn::Abs(hn::Sub(product, whole[r][v])), almost_tie));
    }
  }
  const bool fast = has_reciprocal && hn::AllTrue(d, sure);
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      if (HWY_LIKELY(fast)) {
        acc[r][v] = Clamp(d, hn::Add(whole[r][v], hn::Set(d, step.beta)), low, high);
      } else {
        acc[r][v] = Quantize(d, acc[r][v], step.alpha, step.beta, low, high);
      }
    }
  }
}

// A function that takes many instructions, whose values pass through memory so that it is compiled once.
template <int kRows, int kVectors, class D, class V>
HWY_INLINE void ApplyFunctionToTile(D d, V (&acc)[kRows][kVectors], const TileStep& step) {
  HWY_ALIGN float values[kRows * kVectors * hn::MaxLanes(D())];
  const size_t lanes = hn::Lanes(d);
  ANEMONE_UNROLL
  for (int i = 0; i < kRows * kVectors; ++i) {
    hn::Store(acc[i / kVectors][i % kVectors], d, values + static_cast<size_t>(i) * lanes);
  }
  ApplyFunction({.kind = step.kind, .alpha = step.alpha, .beta = step.beta}, values,
                kRows * kVectors * lanes);
  ANEMONE_UNROLL
  for (int i = 0; i < kRows * kVectors; ++i) {
    acc[i / kVectors][i % kVectors] = hn::Load(d, values + static_cast<size_t>(i) * lanes);
  }
}

template <int kRows, int kVectors, class D, class V>
HWY_INLINE void ApplyTileStep(D d, V (&acc)[kRows][kVectors], const TileStep& step, int columns) {
  switch (step.kind) {
    case StepKind::kAdd:
      return CombineTile(d, acc, step, columns, [](V x, V y) HWY_ATTR { return hn::Add(x, y); });
    case StepKind::kMul:
      return CombineTile(d, acc, step, columns, [](V x, V y) HWY_ATTR { return hn::Mul(x, y); });
    case StepKind::kRelu:
      return MapTile(acc, [d](V x) HWY_ATTR {
        return Clamp(d, x, 0.0f, std::numeric_limits<float>::infinity());
      });
    case StepKind::kClamp:
      return MapTile(acc, [d, &step](V x) HWY_ATTR { return Clamp(d, x, step.alpha, step.beta); });
    case StepKind::kLinear:
      return MapTile(acc, [d, &step](V x) HWY_ATTR {
        return hn::MulAdd(x, hn::Set(d, step.alpha), hn::Set(d, step.beta));
      });
    case StepKind::kHardSwish:
      return MapTile(acc,
                     [d, &step](V x) HWY_ATTR { return HardSwish(d, x, step.alpha, step.beta); });
    case StepKind::kHardSwishOfHalf:
      return MapTile(
          acc, [d, &step](V x) HWY_ATTR { return HardSwishOfHalf(d, x, step.alpha, step.beta); });
    case StepKind::kQuantizeInt8:
    case StepKind::kQuantizeUint8:
      return QuantizeTile(d, acc, step);
    case StepKind::kRoundToHalf:
      return MapTile(acc, [d](V x) HWY_ATTR { return RoundHalf(d, x); });
    default:  // RunsInTile says which kinds there are
      return ApplyFunctionToTile(d, acc, step);
  }
}

// Whole numbers that fit the element, as such.
template <typename Element, class D, class V>
HWY_INLINE auto ToElements(D /*d*/, V whole) {
  const hn::RebindToSigned<D> di;
  const hn::Rebind<Element, D> d_out;
  const auto numbers = hn::ConvertTo(di, whole);
#if HWY_TARGET <= HWY_AVX3
  // One instruction; DemoteTo takes several to saturate.
  if constexpr (sizeof(Element) == 1) {
    return hn::Vec<decltype(d_out)>{_mm512_cvtepi32_epi8(numbers.raw)};
  } else {
    return hn::Vec<decltype(d_out)>{_mm512_cvtepi32_epi16(numbers.raw)};
  }
#else
  return hn::DemoteTo(d_out, numbers);
#endif
}

// Stores accumulators as whole numbers of 8 bits, less `zero`.
template <int kRows, int kVectors, typename Element, class D, class V>
HWY_INLINE void StoreQuantized(D d, V (&acc)[kRows][kVectors], const TileEpilogue& end,
                               Element* to) {
  const hn::Rebind<Element, D> d_out;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V zero = hn::Set(d, end.zero);
  QuantizeTile(d, acc, end.quantize);
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r, to += end.stride) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const int64_t left = end.columns - v * lanes;
      const V whole = hn::Sub(acc[r][v], zero);
      const auto narrow = ToElements<Element>(d, whole);
      if (left >= lanes) {
        hn::StoreU(narrow, d_out, to + v * lanes);
      } else if (left > 0) {
        HWY_ALIGN Element rest[hn::MaxLanes(D())];
        hn::StoreU(narrow, d_out, rest);
        for (int64_t j = 0; j < left; ++j) to[v * lanes + j] = rest[j];
      }
    }
  }
}

// Applies the steps and stores the tile. `acc` need not hold meaningful values beyond the columns.
template <int kRows, int kVectors, class D, class V>
HWY_INLINE void FinishTile(D d, V (&acc)[kRows][kVectors], const TileEpilogue& end) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int i = 0; i < end.count; ++i) ApplyTileStep(d, acc, end.steps[i], end.columns);
  if (end.bytes != nullptr) return StoreQuantized(d, acc, end, end.bytes);
  if (end.narrow != nullptr) return StoreQuantized(d, acc, end, end.narrow);
  const bool whole = end.columns == kVectors * lanes;
  float* to = end.c;
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r, to += end.stride) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const int64_t left = end.columns - v * lanes;
      if (whole || left >= lanes) {
        hn::StoreU(acc[r][v], d, to + v * lanes);
      } else if (left > 0) {
        StoreFirst(acc[r][v], d, to + v * lanes, static_cast<size_t>(left));
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#endif  // include guard
