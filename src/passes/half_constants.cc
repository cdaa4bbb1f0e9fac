#include "passes/half_constants.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace anemone::passes {
namespace {

// Below this many elements a constant's own values matter (an epsilon); above, it is a weight.
constexpr int64_t kSmall = 400;
constexpr uint16_t kSmallestHalfBits = 1;
constexpr uint16_t kSignBit = 0x8000;

}  // namespace

HalfRange RangeInHalf(std::span<const float> values) {
  // Magnitudes compare as integers do, and integer loops vectorise.
  constexpr uint32_t kMagnitude = 0x7fffffff;
  const auto bits_of = [](float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
  };
  const uint32_t limit = bits_of(1e38f);
  // 2^-25 is half way to the smallest half, and rounds to the even side, which is 0.
  const uint32_t tiny = bits_of(0x1p-25f);
  uint32_t largest = 0;
  uint32_t vanishing = 0;
  HalfRange range;
  constexpr size_t kBlock = 4096;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const size_t end = std::min(values.size(), begin + kBlock);
    for (size_t i = begin; i < end; ++i) {
      const uint32_t magnitude = bits_of(values[i]) & kMagnitude;
      const uint32_t counted = magnitude < limit ? magnitude : 0;
      largest = counted > largest ? counted : largest;
      vanishing += magnitude - 1 < tiny ? 1 : 0;
    }
    range.vanishing += vanishing;
    vanishing = 0;
  }
  std::memcpy(&range.largest, &largest, sizeof(largest));
  return range;
}

ir::Literal RoundToHalf(const ir::Literal& constant, int64_t* lost) {
  const std::span<const float> values = constant.As<float>();
  std::vector<Half> halves(values.size());
  FloatToHalf(values, halves);
  if (static_cast<int64_t>(values.size()) < kSmall) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] == 0 || (halves[i].bits & ~kSignBit) != 0) continue;
      halves[i].bits = kSmallestHalfBits | (values[i] < 0 ? kSignBit : 0);
    }
    *lost = 0;
  }
  const ir::Type type = ir::Type::Tensor(DType::kFp16, constant.shape());
  return ir::Literal::FromBytes(type, Bytes::FromVector(std::move(halves))).value();
}

}  // namespace anemone::passes
