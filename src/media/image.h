// Image: 8-bit RGB pixels, and reading one from a PNG or JPEG file. Pixels equal those of Pillow's
// Image.open(path).convert("RGB"), bit for bit: alpha and color profiles are dropped, EXIF
// orientation is not applied, 16-bit samples keep their high byte (16-bit gray without color
// saturates at 255, as in Pillow). Ownership: values. Thread rules: pure functions. Errors:
// not_found and io from the system; invalid_input for broken or oversized files; unsupported for
// other formats.
#pragma once

#include <cstdint>
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

}  // namespace anemone::media
