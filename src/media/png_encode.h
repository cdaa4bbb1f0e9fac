// Writing PNG, and the gray of a pixel. Thread rules: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace anemone::media {

// A PNG file of 8-bit pixels, gray (1 channel) or RGB (3), rows top to bottom.
Result<std::vector<std::byte>> EncodePng(std::span<const uint8_t> pixels, int width, int height,
                                         int channels);

// The gray of a pixel, as Pillow's convert("L") rounds it: gray stays as it is.
constexpr uint8_t Luma(uint8_t red, uint8_t green, uint8_t blue) {
  return static_cast<uint8_t>((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
}

}  // namespace anemone::media
