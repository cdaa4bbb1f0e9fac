// Resizing and cropping of 8-bit images with exactly Pillow's arithmetic: separable filters that
// widen when shrinking (antialias), coefficients in 22-bit fixed point, an 8-bit picture between
// the two passes. Top-1 results of an evaluation then agree, image by image, with pipelines
// written in Python. Thread rules: pure functions. Errors: usage for sizes that are not positive
// or too large.
#pragma once

#include <optional>
#include <string_view>

#include "base/status.h"
#include "media/image.h"

namespace anemone::media {

enum class Filter { kBox, kBilinear, kBicubic, kLanczos };
// "box", "bilinear", "bicubic", "lanczos".
std::optional<Filter> FilterFromName(std::string_view name);

// Image.resize((width, height), filter).
Result<Image> Resize(const Image& image, int width, int height, Filter filter);
// torchvision.transforms.Resize(size): the shorter side becomes `size`, the longer one keeps the
// ratio and is rounded down.
Result<Image> ResizeShorterSide(const Image& image, int size, Filter filter);
// torchvision.transforms.CenterCrop((height, width)): pads with black where the image is smaller.
Result<Image> CenterCrop(const Image& image, int width, int height);

}  // namespace anemone::media
