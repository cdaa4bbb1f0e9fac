// Rounding constants to half precision, and counting what is lost. Thread rules: pure functions.
#pragma once

#include <cstdint>

#include "ir/literal.h"

namespace anemone::passes {

constexpr float kLargestHalf = 65504;

struct HalfRange {
  // Largest magnitude below 1e38 (larger ones stand for infinity; NaN is ignored).
  float largest = 0;
  // Elements that are not zero and would round to zero.
  int64_t vanishing = 0;
};
// `constant` is float32.
HalfRange RangeInHalf(const ir::Literal& constant);

// A float32 constant rounded to half. If it has fewer than 400 elements, those that would vanish
// become the smallest half with their sign, and `*lost` is set to 0.
ir::Literal RoundToHalf(const ir::Literal& constant, int64_t* lost);

}  // namespace anemone::passes
