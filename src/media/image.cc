#include "media/image.h"

#include <string_view>

#include "base/mapped_file.h"

namespace anemone::media {

Status CheckImageSize(int64_t width, int64_t height) {
  if (width <= 0 || height <= 0)
    return InvalidInput("an image cannot have {} x {} pixels", width, height);
  if (width > kMaxPixels / height) {
    return InvalidInput("{} x {} pixels exceed the limit of {}", width, height, kMaxPixels);
  }
  return {};
}

Result<Image> DecodeImage(const Bytes& file) {
  const std::string_view text = file.text();
  if (text.substr(0, 4) == "\x89PNG") return DecodePng(file);
  if (text.substr(0, 3) == "\xFF\xD8\xFF") return DecodeJpeg(file);
  return Unsupported("neither a PNG nor a JPEG image").Advise("convert the image to PNG or JPEG");
}

Result<Image> ReadImage(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes file, MapFile(path));
  return DecodeImage(file).At(path);
}

}  // namespace anemone::media
