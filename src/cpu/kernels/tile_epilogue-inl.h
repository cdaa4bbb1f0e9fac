// The end of a tile, for the current Highway target: steps on its registers, and the store.
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

// Rows x 2 accumulators, two values of the right operand and one of the left must fit the
// registers: 32, or 16 before AVX-512 on x86.
#undef ANEMONE_MAX_TILE_ROWS
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM
#define ANEMONE_MAX_TILE_ROWS 14
#else
#define ANEMONE_MAX_TILE_ROWS 6
#endif
// tile(n) for each number of rows.
#undef ANEMONE_TILE_ROWS
#if ANEMONE_MAX_TILE_ROWS == 14
#define ANEMONE_TILE_ROWS(tile)                                                             \
  tile(1) tile(2) tile(3) tile(4) tile(5) tile(6) tile(7) tile(8) tile(9) tile(10) tile(11) \
      tile(12) tile(13) tile(14)
#else
#define ANEMONE_TILE_ROWS(tile) tile(1) tile(2) tile(3) tile(4) tile(5) tile(6)
#endif

// The first `count` values at `from`, `step` apart (0 or 1).
template <class D>
HWY_INLINE hn::Vec<D> LoadOperand(D d, const float* from, int64_t step, int64_t count) {
  if (step == 0) return hn::Set(d, *from);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  return count >= lanes ? hn::LoadU(d, from) : LoadFirst(d, from, static_cast<size_t>(count));
}

// f(accumulator, operand) for every accumulator.
template <int kRows, int kVectors, class D, class V, class F>
HWY_INLINE void CombineTile(D d, V (&acc)[kRows][kVectors], const TileStep& step, int columns,
                            const F& f) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const float* from = step.operand + r * step.row_stride;
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const int64_t left = columns - v * lanes;
      if (left <= 0) continue;
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

template <class D, class V>
HWY_INLINE V QuantizeBy(D d, V x, const TileStep& step) {
  const bool is_signed = step.kind == StepKind::kQuantizeInt8;
  return Quantize(d, x, step.alpha, step.beta, is_signed ? -128.0f : 0.0f,
                  is_signed ? 127.0f : 255.0f);
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
      return MapTile(acc, [d, &step](V x) HWY_ATTR { return QuantizeBy(d, x, step); });
    case StepKind::kRoundToHalf:
      return MapTile(acc, [d](V x) HWY_ATTR { return RoundHalf(d, x); });
    default:
      return;  // RunsInTile says which kinds there are
  }
}

// n floats from `from` on as whole numbers of 8 bits, less `zero`.
template <typename Element>
HWY_INLINE void QuantizeRow(const TileStep& step, float zero, const float* from, Element* to,
                            int64_t n) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<Element, decltype(d)> d_out;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto convert = [&](hn::Vec<decltype(d)> x) HWY_ATTR {
    const auto whole = QuantizeBy(d, x, step);
    return hn::DemoteTo(d_out, hn::ConvertTo(di, hn::Sub(whole, hn::Set(d, zero))));
  };
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(convert(hn::LoadU(d, from + i)), d_out, to + i);
  if (i < n) {
    HWY_ALIGN Element rest[hn::MaxLanes(hn::ScalableTag<float>())];
    hn::StoreU(convert(LoadFirst(d, from + i, static_cast<size_t>(n - i))), d_out, rest);
    for (int64_t j = i; j < n; ++j) to[j] = rest[j - i];
  }
}

// Applies the steps and stores the tile. `acc` need not hold meaningful values beyond the columns.
template <int kRows, int kVectors, class D, class V>
HWY_INLINE void FinishTile(D d, V (&acc)[kRows][kVectors], const TileEpilogue& end) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int i = 0; i < end.count; ++i) ApplyTileStep(d, acc, end.steps[i], end.columns);
  if (end.c == nullptr) {
    HWY_ALIGN float row[kVectors * hn::MaxLanes(D())];
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) hn::Store(acc[r][v], d, row + v * lanes);
      if (end.bytes != nullptr) {
        QuantizeRow(end.quantize, 0.0f, row, end.bytes + r * end.stride, end.columns);
      } else {
        QuantizeRow(end.quantize, end.narrow_zero, row, end.narrow + r * end.stride, end.columns);
      }
    }
    return;
  }
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
