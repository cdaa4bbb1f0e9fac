// The inner loops of linear quantization, for any vectors that the processor has; the bits are the
// same with each of them. Thread rules: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/dtype.h"

namespace anemone::compress {

// Smallest and largest of `values` and *low, *high. Returns false when some value is not finite;
// then both are meaningless.
bool FindRange(std::span<const float> values, float* low, float* high);
bool FindRange(std::span<const Half> values, float* low, float* high);

// The largest of the bit patterns with the sign left out: 0x7f800000 and above means that one is
// not finite.
uint32_t LargestMagnitude(std::span<const float> values);

// The same of halves: 0x7c00 and above.
uint16_t LargestMagnitude(std::span<const Half> values);

// One step's worth of quantizing: divides by the scale (rounding the quotients of halves to half,
// as arithmetic in half precision does), rounds (ties to even), adds the offset and keeps the
// result within [low, high].
struct QuantizeArgs {
  float scale = 1;
  float offset = 0;
  float low = 0;
  float high = 0;
};
// The change by quantization, in steps.
struct StepErrors {
  float largest = 0;
  double squares = 0;
};
// `out` gets the lowest byte of each. At most 2^16 values, so that the float sums inside stay
// exact enough.
void Quantize(std::span<const float> values, const QuantizeArgs& args, int8_t* out,
              StepErrors* errors);
void Quantize(std::span<const Half> values, const QuantizeArgs& args, int8_t* out,
              StepErrors* errors);

// Largest difference, and sum of the squares of differences, of two arrays.
void Compare(std::span<const float> a, std::span<const float> b, StepErrors* errors);

}  // namespace anemone::compress
