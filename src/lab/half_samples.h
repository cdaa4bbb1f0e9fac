// HalfSamples: random inputs that tell float16 from float32: normal and uniform numbers, whole
// pixels for images, and indices over the whole table that they look up. Thread rules: pure
// functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"
#include "lab/verify.h"

namespace anemone::lab {

// "4 random inputs".
std::string DescribeHalfSamples();

// What an integer input is taken to hold when no table says more, from the widest on: bytes, digits,
// switches, zeros. A program that refuses one may take the next.
inline constexpr std::array<int64_t, 4> kIntegerRanges = {256, 10, 2, 1};

// The same inputs for the same model; integers lie in 0 to `integers` - 1. kUsage when an input has
// a dynamic shape that nothing fixes.
Result<std::vector<Inputs>> HalfSamples(const ir::Model& model, const ir::Function& function,
                                        int64_t integers = kIntegerRanges[0]);

}  // namespace anemone::lab
