// From 8-bit pixels to the float tensor that a classifier takes.
// Thread rules: pure functions.
#pragma once

#include <array>
#include <vector>

#include "media/image.h"

namespace anemone::media {

enum class PixelLayout { kNchw, kNhwc };

// (value / 255 - mean) / std for each channel, in float32 in this order of operations (that of
// torchvision's ToTensor and Normalize). Shape [1, 3, height, width] or [1, height, width, 3].
std::vector<float> Normalize(const Image& image, const std::array<float, 3>& mean,
                             const std::array<float, 3>& std, PixelLayout layout);

}  // namespace anemone::media
