// Small integers packed without gaps, as Core ML stores them. Thread rules: a pure function.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace anemone::compress {

// The low `nbits` (1 to 8) of each value, one after the other from the lowest bit on; the rest of
// the last byte is 0.
Bytes PackBits(std::span<const uint8_t> values, int nbits);

}  // namespace anemone::compress
