// From 8-bit pixels to the float tensor that a classifier takes.
// Thread rules: pure functions.
#pragma once

#include <array>
#include <vector>

#include "media/image.h"

namespace anemone::media {

// ImageNet's usual statistics, of values in [0, 1].
inline constexpr std::array<float, 3> kImageNetMean{0.485f, 0.456f, 0.406f};
inline constexpr std::array<float, 3> kImageNetStd{0.229f, 0.224f, 0.225f};

enum class PixelLayout { kNchw, kNhwc };

// (value / 255 - mean) / std for each channel, in float32 in this order of operations (that of
// torchvision's ToTensor and Normalize). Shape [1, 3, height, width] or [1, height, width, 3].
std::vector<float> Normalize(const Image& image, const std::array<float, 3>& mean,
                             const std::array<float, 3>& std, PixelLayout layout);

}  // namespace anemone::media
