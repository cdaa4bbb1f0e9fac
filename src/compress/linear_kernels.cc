#include "compress/linear_kernels.h"

#include <algorithm>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/linear_kernels.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::compress {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Sums are kept in 16 lanes whatever the width of a vector, so that every processor adds in the
// same order.
constexpr size_t kLanes = 16;
using Floats = hn::CappedTag<float, kLanes>;

// 16 neighboring elements fill this many vectors.
constexpr size_t kVectors = kLanes / hn::MaxLanes(Floats());

hn::Vec<Floats> LoadElements(Floats d, const float* values) { return hn::LoadU(d, values); }
hn::Vec<Floats> RoundAs(const float* /*like*/, Floats /*d*/, hn::Vec<Floats> value) {
  return value;
}

// As in base/half.cc: only targets with conversion instructions convert by vectors.
#undef ANEMONE_HALF_VECTOR
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
#define ANEMONE_HALF_VECTOR 1
#else
#define ANEMONE_HALF_VECTOR 0
#endif

#if ANEMONE_HALF_VECTOR
hn::Vec<Floats> LoadElements(Floats d, const Half* values) {
  const hn::Rebind<hwy::float16_t, Floats> dh;
  return hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(values)));
}
hn::Vec<Floats> RoundAs(const Half* /*like*/, Floats d, hn::Vec<Floats> value) {
  const hn::Rebind<hwy::float16_t, Floats> dh;
  return hn::PromoteTo(d, hn::DemoteTo(dh, value));
}
#else
hn::Vec<Floats> LoadElements(Floats d, const Half* values) {
  float wide[hn::MaxLanes(Floats())];
  for (size_t i = 0; i < hn::Lanes(d); ++i) wide[i] = HalfToFloat(values[i].bits);
  return hn::LoadU(d, wide);
}
hn::Vec<Floats> RoundAs(const Half* /*like*/, Floats d, hn::Vec<Floats> value) {
  float wide[hn::MaxLanes(Floats())];
  hn::StoreU(value, d, wide);
  for (float& lane : wide) lane = HalfToFloat(FloatToHalf(lane));
  return hn::LoadU(d, wide);
}
#endif

// All functions take whole groups of 16; the callers pad the last.
template <typename T>
void Range(const T* values, size_t n, float* low, float* high, uint32_t* magnitude) {
  const Floats d;
  const hn::RebindToUnsigned<Floats> du;
  const auto mask = hn::Set(du, 0x7fffffffu);
  auto largest = hn::Set(du, *magnitude);
  auto lows = hn::Set(d, *low);
  auto highs = hn::Set(d, *high);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto value = LoadElements(d, values + i);
    lows = hn::Min(lows, value);
    highs = hn::Max(highs, value);
    largest = hn::Max(largest, hn::And(hn::BitCast(du, value), mask));
  }
  *magnitude = hn::GetLane(hn::MaxOfLanes(du, largest));
  *low = hn::GetLane(hn::MinOfLanes(d, lows));
  *high = hn::GetLane(hn::MaxOfLanes(d, highs));
}

void RangeFloats(const float* values, size_t n, float* low, float* high, uint32_t* magnitude) {
  Range(values, n, low, high, magnitude);
}

void RangeHalves(const Half* values, size_t n, float* low, float* high, uint32_t* magnitude) {
  Range(values, n, low, high, magnitude);
}

uint32_t MagnitudeVectors(const float* values, size_t n) {
  const hn::CappedTag<uint32_t, kLanes> d;
  const auto mask = hn::Set(d, 0x7fffffffu);
  auto largest = hn::Zero(d);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto bits = hn::BitCast(d, hn::LoadU(Floats(), values + i));
    largest = hn::Max(largest, hn::And(bits, mask));
  }
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

uint16_t HalfMagnitudeVectors(const uint16_t* values, size_t n) {
  const hn::CappedTag<uint16_t, kLanes> d;
  const auto mask = hn::Set(d, uint16_t{0x7fff});
  auto largest = hn::Zero(d);
  for (size_t i = 0; i < n; i += hn::Lanes(d))
    largest = hn::Max(largest, hn::And(hn::LoadU(d, values + i), mask));
  uint16_t lanes[kLanes] = {};
  hn::StoreU(largest, d, lanes);
  return *std::max_element(lanes, lanes + kLanes);
}

// Largest difference and sum of squares of each of the 16 lanes.
struct ErrorVectors {
  ErrorVectors(Floats d, const float* largest_lanes, const float* square_lanes) {
    for (size_t k = 0; k < kVectors; ++k) {
      largest[k] = hn::LoadU(d, largest_lanes + k * hn::Lanes(d));
      squares[k] = hn::LoadU(d, square_lanes + k * hn::Lanes(d));
    }
  }
  void Add(size_t k, hn::Vec<Floats> difference) {
    largest[k] = hn::Max(largest[k], hn::Abs(difference));
    squares[k] = hn::Add(squares[k], hn::Mul(difference, difference));
  }
  void Store(Floats d, float* largest_lanes, float* square_lanes) const {
    for (size_t k = 0; k < kVectors; ++k) {
      hn::StoreU(largest[k], d, largest_lanes + k * hn::Lanes(d));
      hn::StoreU(squares[k], d, square_lanes + k * hn::Lanes(d));
    }
  }
  hn::Vec<Floats> largest[kVectors];
  hn::Vec<Floats> squares[kVectors];
};

template <typename T>
void QuantizeGroups(const T* values, size_t n, const QuantizeArgs& args, int8_t* out,
                    float* largest, float* squares) {
  const Floats d;
  const hn::Rebind<int32_t, Floats> di;
  const hn::Rebind<uint32_t, Floats> du;
  const hn::Rebind<uint8_t, Floats> d8;
  // Adding and subtracting 1.5 * 2^23 rounds to the nearest whole number, ties to even.
  const auto round = hn::Set(d, 12582912.0f);
  const auto far = hn::Set(d, 1024.0f);  // beyond every limit, with room for the offset
  const auto scale = hn::Set(d, args.scale);
  const auto offset = hn::Set(d, args.offset);
  const auto low = hn::Set(d, args.low);
  const auto high = hn::Set(d, args.high);
  ErrorVectors errors(d, largest, squares);
  for (size_t i = 0; i < n; i += kLanes) {
    for (size_t k = 0; k < kVectors; ++k) {
      const size_t at = i + k * hn::Lanes(d);
      const auto quotient = RoundAs(values, d, hn::Div(LoadElements(d, values + at), scale));
      auto q = hn::Min(hn::Max(quotient, hn::Neg(far)), far);
      q = hn::Add(hn::Sub(hn::Add(q, round), round), offset);
      q = hn::Min(hn::Max(q, low), high);
      const auto bits = hn::BitCast(du, hn::ConvertTo(di, q));
      hn::StoreU(hn::TruncateTo(d8, bits), d8, reinterpret_cast<uint8_t*>(out) + at);
      errors.Add(k, hn::Sub(hn::Sub(q, offset), quotient));
    }
  }
  errors.Store(d, largest, squares);
}

void QuantizeFloats(const float* values, size_t n, const QuantizeArgs& args, int8_t* out,
                    float* largest, float* squares) {
  QuantizeGroups(values, n, args, out, largest, squares);
}

void QuantizeHalves(const Half* values, size_t n, const QuantizeArgs& args, int8_t* out,
                    float* largest, float* squares) {
  QuantizeGroups(values, n, args, out, largest, squares);
}

void CompareVectors(const float* a, const float* b, size_t n, float* largest, float* squares) {
  const Floats d;
  ErrorVectors errors(d, largest, squares);
  for (size_t i = 0; i < n; i += kLanes) {
    for (size_t k = 0; k < kVectors; ++k) {
      const size_t at = i + k * hn::Lanes(d);
      errors.Add(k, hn::Sub(hn::LoadU(d, a + at), hn::LoadU(d, b + at)));
    }
  }
  errors.Store(d, largest, squares);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::compress
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::compress {
namespace {

constexpr size_t kGroup = 16;

size_t Whole(size_t n) { return n / kGroup * kGroup; }

// The last elements, padded with `fill` to a group.
template <typename T>
struct Tail {
  Tail(std::span<const T> all, T fill) {
    std::fill_n(values, kGroup, fill);
    std::copy(all.begin() + static_cast<std::ptrdiff_t>(Whole(all.size())), all.end(), values);
  }
  T values[kGroup];
};

struct Lanes {
  float largest[kGroup] = {};
  float squares[kGroup] = {};

  void AddTo(StepErrors* errors) const {
    errors->largest = std::max(errors->largest, *std::max_element(largest, largest + kGroup));
    for (const float square : squares) errors->squares += square;
  }
};

template <typename T, typename Find>
bool FindRangeWith(Find find, std::span<const T> values, float* low, float* high) {
  const size_t whole = Whole(values.size());
  uint32_t magnitude = 0;
  if (whole != 0) find(values.data(), whole, low, high, &magnitude);
  if (whole != values.size())
    find(Tail(values, values.back()).values, kGroup, low, high, &magnitude);
  constexpr uint32_t kInfinity = 0x7f800000;
  return magnitude < kInfinity;
}

template <typename T, typename QuantizeGroups>
void QuantizeWith(QuantizeGroups quantize, std::span<const T> values, const QuantizeArgs& args,
                  int8_t* out, StepErrors* errors) {
  const size_t whole = Whole(values.size());
  Lanes lanes;
  quantize(values.data(), whole, args, out, lanes.largest, lanes.squares);
  if (whole != values.size()) {
    // The padding is 0, which has no error.
    int8_t last[kGroup];
    quantize(Tail(values, T()).values, kGroup, args, last, lanes.largest, lanes.squares);
    std::copy_n(last, values.size() - whole, out + whole);
  }
  lanes.AddTo(errors);
}

}  // namespace

HWY_EXPORT(RangeFloats);
HWY_EXPORT(RangeHalves);
HWY_EXPORT(MagnitudeVectors);
HWY_EXPORT(HalfMagnitudeVectors);
HWY_EXPORT(QuantizeFloats);
HWY_EXPORT(QuantizeHalves);
HWY_EXPORT(CompareVectors);

bool FindRange(std::span<const float> values, float* low, float* high) {
  return FindRangeWith([](auto... all) { HWY_DYNAMIC_DISPATCH(RangeFloats)(all...); }, values, low,
                       high);
}

bool FindRange(std::span<const Half> values, float* low, float* high) {
  return FindRangeWith([](auto... all) { HWY_DYNAMIC_DISPATCH(RangeHalves)(all...); }, values, low,
                       high);
}

uint32_t LargestMagnitude(std::span<const float> values) {
  const Tail tail(values, 0.0f);
  const uint32_t most = HWY_DYNAMIC_DISPATCH(MagnitudeVectors)(values.data(), Whole(values.size()));
  return std::max(most, HWY_DYNAMIC_DISPATCH(MagnitudeVectors)(tail.values, kGroup));
}

uint16_t LargestMagnitude(std::span<const Half> values) {
  const size_t whole = Whole(values.size());
  uint16_t tail[kGroup] = {};
  for (size_t i = whole; i < values.size(); ++i) tail[i - whole] = values[i].bits;
  const uint16_t most = HWY_DYNAMIC_DISPATCH(HalfMagnitudeVectors)(
      reinterpret_cast<const uint16_t*>(values.data()), whole);
  return std::max(most, HWY_DYNAMIC_DISPATCH(HalfMagnitudeVectors)(tail, kGroup));
}

void Quantize(std::span<const float> values, const QuantizeArgs& args, int8_t* out,
              StepErrors* errors) {
  QuantizeWith([](auto... all) { HWY_DYNAMIC_DISPATCH(QuantizeFloats)(all...); }, values, args, out,
               errors);
}

void Quantize(std::span<const Half> values, const QuantizeArgs& args, int8_t* out,
              StepErrors* errors) {
  QuantizeWith([](auto... all) { HWY_DYNAMIC_DISPATCH(QuantizeHalves)(all...); }, values, args, out,
               errors);
}

void Compare(std::span<const float> a, std::span<const float> b, StepErrors* errors) {
  constexpr size_t kBlock = 4096;
  for (size_t begin = 0; begin < a.size(); begin += kBlock) {
    const auto x = a.subspan(begin, std::min(kBlock, a.size() - begin));
    const auto y = b.subspan(begin, x.size());
    Lanes lanes;
    HWY_DYNAMIC_DISPATCH(CompareVectors)(x.data(), y.data(), Whole(x.size()), lanes.largest,
                                         lanes.squares);
    const Tail last_x(x, 0.0f);
    const Tail last_y(y, 0.0f);
    HWY_DYNAMIC_DISPATCH(CompareVectors)(last_x.values, last_y.values, kGroup, lanes.largest,
                                         lanes.squares);
    lanes.AddTo(errors);
  }
}

}  // namespace anemone::compress
#endif  // HWY_ONCE
