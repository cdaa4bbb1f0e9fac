#include "media/normalize.h"

namespace anemone::media {

std::vector<float> Normalize(const Image& image, const std::array<float, 3>& mean,
                             const std::array<float, 3>& std, PixelLayout layout) {
  const size_t count = size_t(image.width) * size_t(image.height);
  std::vector<float> out(count * 3);
  for (size_t c = 0; c < 3; ++c) {
    std::array<float, 256> table;
    for (size_t v = 0; v < 256; ++v) {
      table[v] = (static_cast<float>(v) / 255.0f - mean[c]) / std[c];
    }
    const size_t start = layout == PixelLayout::kNchw ? c * count : c;
    const size_t step = layout == PixelLayout::kNchw ? 1 : 3;
    for (size_t i = 0; i < count; ++i) out[start + i * step] = table[image.pixels[i * 3 + c]];
  }
  return out;
}

}  // namespace anemone::media
