// Quotients and multiples rounded up, for sizes and counts. Thread rules: pure functions.
#pragma once

#include <concepts>
#include <type_traits>

namespace anemone {

// value / divisor rounded up, and the smallest multiple that is not below the value; of nonnegative
// numbers whose sum fits.
template <std::integral T>
constexpr T CeilDiv(T value, std::type_identity_t<T> divisor) {
  return static_cast<T>((value + divisor - 1) / divisor);
}
template <std::integral T>
constexpr T RoundUp(T value, std::type_identity_t<T> multiple) {
  return static_cast<T>(CeilDiv(value, multiple) * multiple);
}

}  // namespace anemone
