#include "compress/linear_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/linear_kernels.cc"
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
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

// All functions take whole groups of 16; the callers fill up the last.
void RangeVectors(const float* values, size_t n, float* low, float* high) {
  const Floats d;
  auto lows = hn::Set(d, *low);
  auto highs = hn::Set(d, *high);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto value = hn::LoadU(d, values + i);
    lows = hn::Min(lows, value);
    highs = hn::Max(highs, value);
  }
  *low = hn::GetLane(hn::MinOfLanes(d, lows));
  *high = hn::GetLane(hn::MaxOfLanes(d, highs));
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

void DivideVectors(const float* values, size_t n, float divisor, float* out) {
  const Floats d;
  const auto by = hn::Set(d, divisor);
  for (size_t i = 0; i < n; i += hn::Lanes(d))
    hn::StoreU(hn::Div(hn::LoadU(d, values + i), by), d, out + i);
}

void AddErrors(Floats d, hn::Vec<Floats> difference, float* largest, float* squares) {
  hn::StoreU(hn::Max(hn::LoadU(d, largest), hn::Abs(difference)), d, largest);
  hn::StoreU(hn::Add(hn::LoadU(d, squares), hn::Mul(difference, difference)), d, squares);
}

void QuantizeVectors(const float* quotients, size_t n, const QuantizeArgs& args, int8_t* out,
                     float* largest, float* squares) {
  const Floats d;
  const hn::Rebind<int32_t, Floats> di;
  const hn::Rebind<uint32_t, Floats> du;
  const hn::Rebind<uint8_t, Floats> d8;
  // Adding and taking away 1.5 * 2^23 rounds to the nearest whole number, ties to even.
  const auto round = hn::Set(d, 12582912.0f);
  const auto far = hn::Set(d, 1024.0f);  // beyond every limit, with room for the offset
  const auto offset = hn::Set(d, args.offset);
  const auto low = hn::Set(d, args.low);
  const auto high = hn::Set(d, args.high);
  for (size_t i = 0; i < n; i += kLanes) {
    for (size_t k = 0; k < kLanes; k += hn::Lanes(d)) {
      const auto quotient = hn::LoadU(d, quotients + i + k);
      auto q = hn::Min(hn::Max(quotient, hn::Neg(far)), far);
      q = hn::Add(hn::Sub(hn::Add(q, round), round), offset);
      q = hn::Min(hn::Max(q, low), high);
      const auto bits = hn::BitCast(du, hn::ConvertTo(di, q));
      hn::StoreU(hn::TruncateTo(d8, bits), d8, reinterpret_cast<uint8_t*>(out) + i + k);
      AddErrors(d, hn::Sub(hn::Sub(q, offset), quotient), largest + k, squares + k);
    }
  }
}

void CompareVectors(const float* a, const float* b, size_t n, float* largest, float* squares) {
  const Floats d;
  for (size_t i = 0; i < n; i += kLanes) {
    for (size_t k = 0; k < kLanes; k += hn::Lanes(d)) {
      const auto difference = hn::Sub(hn::LoadU(d, a + i + k), hn::LoadU(d, b + i + k));
      AddErrors(d, difference, largest + k, squares + k);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::compress
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::compress {
namespace {

constexpr size_t kGroup = 16;

size_t Whole(size_t n) { return n / kGroup * kGroup; }

// The last elements, filled up with `fill` to a group.
struct Tail {
  Tail(std::span<const float> all, float fill) {
    std::fill_n(values, kGroup, fill);
    std::copy(all.begin() + static_cast<std::ptrdiff_t>(Whole(all.size())), all.end(), values);
  }
  float values[kGroup];
};

struct Lanes {
  float largest[kGroup] = {};
  float squares[kGroup] = {};

  void AddTo(StepErrors* errors) const {
    errors->largest = std::max(errors->largest, *std::max_element(largest, largest + kGroup));
    for (const float square : squares) errors->squares += square;
  }
};

}  // namespace

HWY_EXPORT(RangeVectors);
HWY_EXPORT(MagnitudeVectors);
HWY_EXPORT(HalfMagnitudeVectors);
HWY_EXPORT(DivideVectors);
HWY_EXPORT(QuantizeVectors);
HWY_EXPORT(CompareVectors);

void FindRange(std::span<const float> values, float* low, float* high) {
  if (values.empty()) return;
  HWY_DYNAMIC_DISPATCH(RangeVectors)(values.data(), Whole(values.size()), low, high);
  const Tail tail(values, values.back());
  if (Whole(values.size()) != values.size())
    HWY_DYNAMIC_DISPATCH(RangeVectors)(tail.values, kGroup, low, high);
}

uint32_t LargestMagnitude(std::span<const float> values) {
  const Tail tail(values, 0);
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

void Divide(std::span<const float> values, float divisor, float* quotients) {
  const size_t whole = Whole(values.size());
  HWY_DYNAMIC_DISPATCH(DivideVectors)(values.data(), whole, divisor, quotients);
  for (size_t i = whole; i < values.size(); ++i) quotients[i] = values[i] / divisor;
}

void Quantize(std::span<const float> quotients, const QuantizeArgs& args, int8_t* out,
              StepErrors* errors) {
  const size_t whole = Whole(quotients.size());
  Lanes lanes;
  HWY_DYNAMIC_DISPATCH(QuantizeVectors)(quotients.data(), whole, args, out, lanes.largest,
                                        lanes.squares);
  if (whole != quotients.size()) {
    // What fills up is 0, which is met exactly.
    const Tail tail(quotients, 0);
    int8_t last[kGroup];
    HWY_DYNAMIC_DISPATCH(QuantizeVectors)(tail.values, kGroup, args, last, lanes.largest,
                                          lanes.squares);
    std::copy_n(last, quotients.size() - whole, out + whole);
  }
  lanes.AddTo(errors);
}

void Compare(std::span<const float> a, std::span<const float> b, StepErrors* errors) {
  constexpr size_t kBlock = 4096;
  for (size_t begin = 0; begin < a.size(); begin += kBlock) {
    const auto x = a.subspan(begin, std::min(kBlock, a.size() - begin));
    const auto y = b.subspan(begin, x.size());
    Lanes lanes;
    HWY_DYNAMIC_DISPATCH(CompareVectors)(x.data(), y.data(), Whole(x.size()), lanes.largest,
                                         lanes.squares);
    const Tail last_x(x, 0);
    const Tail last_y(y, 0);
    HWY_DYNAMIC_DISPATCH(CompareVectors)(last_x.values, last_y.values, kGroup, lanes.largest,
                                         lanes.squares);
    lanes.AddTo(errors);
  }
}

}  // namespace anemone::compress
#endif  // HWY_ONCE
