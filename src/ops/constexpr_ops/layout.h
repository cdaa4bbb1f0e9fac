// The memory layout of compressed constants: values packed bit by bit into bytes, from the lowest
// bit on. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <optional>

namespace anemone::ops::constexpr_ops {

// Bytes that hold `count` values of `bits` bits each; nullopt when that overflows.
inline std::optional<int64_t> PackedBytes(int64_t count, int64_t bits) {
  int64_t total;
  if (__builtin_mul_overflow(count, bits, &total)) return std::nullopt;
  return total / 8 + (total % 8 != 0);
}

// Value `index` of a sequence of `bits` <= 8 bits each; it may span two bytes.
inline unsigned UnpackBits(const uint8_t* bytes, int64_t index, int bits) {
  const int64_t start = index * bits;
  const int shift = static_cast<int>(start % 8);
  unsigned value = static_cast<unsigned>(bytes[start / 8]) >> shift;
  if (shift + bits > 8) value |= static_cast<unsigned>(bytes[start / 8 + 1]) << (8 - shift);
  return value & ((1u << bits) - 1);
}

}  // namespace anemone::ops::constexpr_ops
