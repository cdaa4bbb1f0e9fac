#include "passes/half_constants.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/uninitialized.h"

namespace anemone::passes {
namespace {

// Below this many elements a constant's own values matter (an epsilon); above, it is a weight.
constexpr int64_t kSmall = 400;
constexpr uint16_t kSmallestHalfBits = 1;
constexpr uint16_t kSignBit = 0x8000;

// Calls use(first, values) for each block of a float32 constant in turn. A block fits the
// first-level cache, so that unaligned weights in a file need no aligned copy.
template <typename Use>
void ForEachRun(const ir::Literal& constant, const Use& use) {
  constexpr size_t kBlock = 4096;
  std::array<float, kBlock> block;
  const auto count = static_cast<size_t>(constant.element_count());
  const std::byte* data = constant.bytes().data();
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t size = std::min(count - begin, kBlock);
    std::memcpy(block.data(), data + begin * sizeof(float), size * sizeof(float));
    use(begin, std::span<const float>(block.data(), size));
  }
}

}  // namespace

HalfRange RangeInHalf(const ir::Literal& constant) {
  // Magnitudes compare as integers do, and integer loops vectorize.
  constexpr uint32_t kMagnitude = 0x7fffffff;
  const auto bits_of = [](float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
  };
  const uint32_t limit = bits_of(1e38f);
  // 2^-25 is halfway to the smallest half, and rounds to the even side, which is 0.
  const uint32_t tiny = bits_of(0x1p-25f);
  uint32_t largest = 0;
  HalfRange range;
  ForEachRun(constant, [&](size_t, std::span<const float> values) {
    uint32_t vanishing = 0;
    for (const float value : values) {
      const uint32_t magnitude = bits_of(value) & kMagnitude;
      const uint32_t counted = magnitude < limit ? magnitude : 0;
      largest = counted > largest ? counted : largest;
      vanishing += magnitude - 1 < tiny ? 1 : 0;
    }
    range.vanishing += vanishing;
  });
  std::memcpy(&range.largest, &largest, sizeof(largest));
  return range;
}

ir::Literal RoundToHalf(const ir::Literal& constant, int64_t* lost) {
  const auto count = static_cast<size_t>(constant.element_count());
  const Uninitialized<Half> halves(count);
  const bool small = constant.element_count() < kSmall;
  ForEachRun(constant, [&](size_t begin, std::span<const float> values) {
    FloatToHalf(values, {halves.data() + begin, values.size()});
    if (!small) return;
    for (size_t i = 0; i < values.size(); ++i) {
      Half& half = halves.data()[begin + i];
      if (values[i] == 0 || (half.bits & ~kSignBit) != 0) continue;
      half.bits = kSmallestHalfBits | (values[i] < 0 ? kSignBit : 0);
    }
  });
  if (small) *lost = 0;
  const ir::Type type = ir::Type::Tensor(DType::kFp16, constant.shape());
  return ir::Literal::FromBytes(type, halves.ToBytes()).value();
}

}  // namespace anemone::passes
