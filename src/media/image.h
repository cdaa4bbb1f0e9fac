// Image: 8-bit RGB pixels, reading one from a PNG or JPEG file, and writing PNG. Pixels equal those of Pillow's
// Image.open(path).convert("RGB"), bit for bit: alpha and color profiles are dropped, EXIF
// orientation is not applied, 16-bit samples keep their high byte (16-bit gray without color
// saturates at 255, as in Pillow). Ownership: values. Thread rules: pure functions. Errors:
// not_found and io from the system; invalid_input for broken or oversized files; unsupported for
// other formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace anemone::media {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> pixels;  // height x width x 3, rows top to bottom, R G B

  const uint8_t* Row(int y) const { return pixels.data() + size_t(y) * size_t(width) * 3; }
  uint8_t* Row(int y) { return pixels.data() + size_t(y) * size_t(width) * 3; }
};

// Above this Pillow warns of a decompression bomb; larger images are refused.
inline constexpr int64_t kMaxPixels = int64_t{1024} * 1024 * 1024 / 4 / 3;
// An error unless both are positive and width * height <= kMaxPixels.
Status CheckImageSize(int64_t width, int64_t height);

// Decodes a PNG or JPEG, told apart by the first bytes.
Result<Image> DecodeImage(const Bytes& file);
Result<Image> ReadImage(const std::string& path);

Result<Image> DecodePng(const Bytes& file);
Result<Image> DecodeJpeg(const Bytes& file);

// A PNG file of 8-bit pixels, gray (1 channel) or RGB (3), rows top to bottom.
Result<std::vector<std::byte>> EncodePng(std::span<const uint8_t> pixels, int width, int height,
                                         int channels);

// The gray of a pixel, as Pillow's convert("L") rounds it: gray stays as it is.
constexpr uint8_t Luma(uint8_t red, uint8_t green, uint8_t blue) {
  return static_cast<uint8_t>((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
}

}  // namespace anemone::media
