// The end of a tile of integer products whose last step quantizes (requantization.h), for the current Highway target.
#if defined(ANEMONE_CPU_KERNELS_TILE_REQUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ANEMONE_CPU_KERNELS_TILE_REQUANTIZE_INL_H_
#undef ANEMONE_CPU_KERNELS_TILE_REQUANTIZE_INL_H_
#else
#define ANEMONE_CPU_KERNELS_TILE_REQUANTIZE_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/simd_targets.h"
#include "cpu/kernels/tile_epilogue-inl.h"
#include "cpu/kernels/tile_epilogue.h"
#include "cpu/kernels/whole_numbers-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR  // which has no vectors to pack

// A panel's scale and bias in units of the quantum that sums are rounded to first.
template <int kVectors>
struct PanelScales {
  using D = hn::ScalableTag<float>;
  using V = hn::Vec<D>;
  V scale[kVectors];
  V bias[kVectors];

  // Whether they are so small that nothing becomes infinite or NaN.
  HWY_INLINE bool Load(const float* scale_of, const float* bias_of, const Requantization& how) {
    const D d;
    const V per_quantum = hn::Set(d, how.per_quantum), shift = hn::Set(d, how.shift);
    const V most = hn::Set(d, Requantization::kMost);
    auto small = hn::Eq(most, most);
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const size_t column = v * hn::Lanes(d);
      scale[v] = hn::Mul(hn::Load(d, scale_of + column), per_quantum);
      bias[v] = hn::MulAdd(hn::Load(d, bias_of + column), per_quantum, shift);
      small = hn::And(small, hn::Lt(hn::Max(hn::Abs(scale[v]), hn::Abs(bias[v])), most));
    }
    return hn::AllTrue(d, small);
  }
};

// acc + a * byte of the step's operand.
template <int kRows, int kVectors, class D, class V>
HWY_INLINE void AddBytes(D d, V (&acc)[kRows][kVectors], const TileStep& step, float a, int64_t row,
                         int columns) {
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint8_t, D> d_in;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V scale = hn::Set(d, a);
  const uint8_t* from = step.bytes + row * step.row_stride;
  if (HWY_LIKELY(columns == kVectors * lanes)) {
    ANEMONE_UNROLL
    for (int r = 0; r < kRows; ++r, from += step.row_stride) {
      ANEMONE_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const auto whole = hn::PromoteTo(di, hn::LoadU(d_in, from + v * lanes));
        acc[r][v] = hn::MulAdd(hn::ConvertTo(d, whole), scale, acc[r][v]);
      }
    }
    return;
  }
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r, from += step.row_stride) {
    HWY_ALIGN uint8_t bytes[kVectors * hn::MaxLanes(D())] = {};
    std::memcpy(bytes, from, static_cast<size_t>(columns));
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const auto whole = hn::PromoteTo(di, hn::LoadU(d_in, bytes + v * lanes));
      acc[r][v] = hn::MulAdd(hn::ConvertTo(d, whole), scale, acc[r][v]);
    }
  }
}

template <int kRows, int kVectors, class D, class V>
HWY_INLINE void ApplyOperation(D d, V (&acc)[kRows][kVectors],
                               const Requantization::Operation& operation, const TileEpilogue& end,
                               int64_t row) {
  const float a = operation.a, b = operation.b;
  switch (operation.kind) {
    case Requantization::Kind::kAffine:
      return MapTile(acc,
                     [=](V x) HWY_ATTR { return hn::MulAdd(x, hn::Set(d, a), hn::Set(d, b)); });
    case Requantization::Kind::kClamp:
      return MapTile(acc, [=](V x) HWY_ATTR { return Clamp(d, x, a, b); });
    case Requantization::Kind::kRound:
      return MapTile(acc, [](V x) HWY_ATTR { return hn::Round(x); });
    case Requantization::Kind::kHardSwish:
      return MapTile(acc, [=](V x) HWY_ATTR { return HardSwish(d, x, a, b); });
    case Requantization::Kind::kFunction:
      MapTile(acc, [=](V x) HWY_ATTR { return hn::Mul(x, hn::Set(d, a)); });
      ApplyFunctionToTile(d, acc, end.steps[operation.step]);
      return MapTile(acc, [=](V x) HWY_ATTR { return hn::Mul(x, hn::Set(d, b)); });
    case Requantization::Kind::kAddBytes:
      return AddBytes(d, acc, end.steps[operation.step], a, row, end.columns);
  }
}

// Stores rows of bytes that stand in vectors of 32 bits.
template <int kRows, int kVectors, class DI, class VI>
HWY_INLINE void StoreWhole(DI di, const VI (&whole)[kRows][kVectors], int64_t stride, int columns,
                           uint8_t* to) {
  constexpr int kWidth = kVectors * static_cast<int>(hn::MaxLanes(DI()));
  constexpr int kTogether = 4 / kVectors;  // rows
  const hn::Repartition<uint8_t, DI> d8;
  ANEMONE_UNROLL
  for (int first = 0; first < kRows; first += kTogether) {
    const auto at = [&](int i) HWY_ATTR {
      return whole[HWY_MIN(first + i / kVectors, kRows - 1)][i % kVectors];
    };
    const auto packed = PackBytes(di, at(0), at(1), at(2), at(3));
    if constexpr (kVectors == 2) {
      if (HWY_LIKELY(columns == kWidth)) {
        const hn::Half<decltype(d8)> half;
        hn::StoreU(hn::LowerHalf(half, packed), half, to);
        if constexpr (kRows > 1) hn::StoreU(hn::UpperHalf(half, packed), half, to + stride);
        to += kTogether * stride;
        continue;
      }
    }
    HWY_ALIGN uint8_t bytes[4 * hn::MaxLanes(DI())];
    hn::Store(packed, d8, bytes);
    ANEMONE_UNROLL
    for (int r = 0; r < HWY_MIN(kTogether, kRows); ++r, to += stride) {
      const auto count = static_cast<size_t>(columns);
      std::memcpy(to, bytes + r * kWidth, columns == kWidth ? size_t{kWidth} : count);
    }
  }
}

// The same as numbers of 16 bits.
template <int kRows, int kVectors, class DI, class VI>
HWY_INLINE void StoreWhole(DI di, const VI (&whole)[kRows][kVectors], int64_t stride, int columns,
                           NarrowInt* to) {
  const hn::Rebind<NarrowInt, DI> d_out;
  const auto lanes = static_cast<int>(hn::Lanes(di));
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r, to += stride) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const int left = columns - v * lanes;
      const auto narrow = hn::DemoteTo(d_out, whole[r][v]);
      if (left >= lanes) {
        hn::StoreU(narrow, d_out, to + v * lanes);
      } else if (left > 0) {
        HWY_ALIGN NarrowInt rest[hn::MaxLanes(DI())];
        hn::StoreU(narrow, d_out, rest);
        std::memcpy(to + v * lanes, rest, static_cast<size_t>(left) * sizeof(NarrowInt));
      }
    }
  }
}

template <int kRows, int kVectors, typename Element>
HWY_INLINE void RequantizeRows(const PanelScales<kVectors>& scales, const int32_t* sums,
                               int64_t row, const TileEpilogue& end, Element* to) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  using V = hn::Vec<decltype(d)>;
  const Requantization& how = *end.requantization;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V acc[kRows][kVectors];
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const auto sum = hn::Load(di, sums + ((row + r) * kVectors + v) * lanes);
      acc[r][v] = hn::MulAdd(hn::ConvertTo(d, sum), scales.scale[v], scales.bias[v]);
    }
  }
  for (const Requantization::Operation& operation : how.operations()) {
    ApplyOperation(d, acc, operation, end, row);
  }
  hn::Vec<decltype(di)> whole[kRows][kVectors];
  ANEMONE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ANEMONE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const V within = Clamp(d, acc[r][v], how.low, how.high);
      whole[r][v] = hn::Add(NearestOfSmall(d, within), hn::Set(di, how.offset));
    }
  }
  StoreWhole(di, whole, end.stride, end.columns, to + row * end.stride);
}

// end.rows rows of kVectors vectors of sums.
template <int kVectors, typename Element>
HWY_INLINE void RequantizeAllRows(const PanelScales<kVectors>& scales, const int32_t* sums,
                                  const TileEpilogue& end, Element* to) {
  // As many as give four vectors to pack, twice.
  constexpr int kRows = 8 / kVectors;
  int64_t row = 0;
  for (; row + kRows <= end.rows; row += kRows) {
    RequantizeRows<kRows>(scales, sums, row, end, to);
  }
  for (; row + kRows / 2 <= end.rows; row += kRows / 2) {
    RequantizeRows<kRows / 2>(scales, sums, row, end, to);
  }
  for (; row < end.rows; ++row) RequantizeRows<1>(scales, sums, row, end, to);
}

// Whether it did it.
template <int kVectors>
HWY_INLINE bool Requantize(const int32_t* sums, const float* scale, const float* bias,
                           const TileEpilogue& end) {
  if (end.requantization == nullptr) return false;
  PanelScales<kVectors> scales;
  if (!scales.Load(scale, bias, *end.requantization)) return false;
  if (end.bytes != nullptr) {
    RequantizeAllRows(scales, sums, end, end.bytes);
  } else {
    RequantizeAllRows(scales, sums, end, end.narrow);
  }
  return true;
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#endif  // include guard
