// Integer arithmetic without undefined behavior: wrap-around on overflow, division that floors
// (NumPy's signs), and conversion of floats that saturates. Thread rules: pure functions.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace anemone::exec {

template <typename T>
constexpr T WrapAdd(T a, T b) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(static_cast<U>(a) + static_cast<U>(b)));
}
template <typename T>
constexpr T WrapSub(T a, T b) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(static_cast<U>(a) - static_cast<U>(b)));
}
template <typename T>
constexpr T WrapMul(T a, T b) {
  // In 64 bits: uint16_t * uint16_t would be an int, and overflow it.
  return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

// Quotient rounded toward zero; 0 for a division by zero, which no integer can express.
template <typename T>
constexpr T TruncDiv(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return WrapSub<T>(0, a);  // min / -1 does not fit
  }
  return static_cast<T>(a / b);
}

// Quotient rounded toward minus infinity, and the remainder that goes with it (sign of b). Both 0
// for b == 0.
template <typename T>
constexpr T FloorMod(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
    const T remainder = static_cast<T>(a % b);
    return remainder != 0 && (remainder < 0) != (b < 0) ? static_cast<T>(remainder + b) : remainder;
  } else {
    return static_cast<T>(a % b);
  }
}
template <typename T>
constexpr T FloorDiv(T a, T b) {
  if (b == 0) return 0;
  const T quotient = TruncDiv(a, b);
  if constexpr (std::is_signed_v<T>) {
    if (b != -1 && a % b != 0 && (a < 0) != (b < 0)) return static_cast<T>(quotient - 1);
  }
  return quotient;
}

// base ** exponent modulo 2^bits. A negative exponent gives the truncated reciprocal: 1 for 1, +-1
// for -1, 0 otherwise.
template <typename T>
constexpr T WrapPow(T base, T exponent) {
  if (exponent < 0) {
    if (base == 1) return 1;
    if (base == static_cast<T>(-1)) return exponent % 2 == 0 ? 1 : base;
    return 0;
  }
  T result = 1;
  for (; exponent > 0; exponent = static_cast<T>(exponent / 2)) {
    if (exponent % 2 != 0) result = WrapMul(result, base);
    base = WrapMul(base, base);
  }
  return result;
}

// Truncates toward zero; values beyond T's range become its nearest end, and NaN becomes 0 (as
// ARM's conversions do).
template <typename T>
T SaturatingCast(double value) {
  if (std::isnan(value)) return 0;
  // max() + 1 is a power of two, so exact in double even where max() is not.
  // NOLINTNEXTLINE(bugprone-integer-division): halving is exact but for the bit that + 1 restores
  constexpr double kEnd = static_cast<double>(std::numeric_limits<T>::max() / 2 + 1) * 2.0;
  if (value >= kEnd) return std::numeric_limits<T>::max();
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) {
    return std::numeric_limits<T>::min();
  }
  return static_cast<T>(value);
}

}  // namespace anemone::exec
