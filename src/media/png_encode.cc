// By libpng's simplified interface, which catches its own longjmp.
#include "media/png_encode.h"

#include <png.h>

#include "media/image.h"

namespace anemone::media {

Result<std::vector<std::byte>> EncodePng(std::span<const uint8_t> pixels, int width, int height,
                                         int channels) {
  ANEMONE_TRY(CheckImageSize(width, height));
  if (channels != 1 && channels != 3) return Usage("an image of {} channels has no PNG", channels);
  if (pixels.size() !=
      static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels)) {
    return Usage("{} bytes are not the pixels of an image of {} x {} x {}", pixels.size(), width,
                 height, channels);
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::byte> file(size);
  if (png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0, nullptr) == 0) {
    const std::string message = image.message;
    png_image_free(&image);
    return Internal("libpng cannot encode the image: {}", message);
  }
  file.resize(size);
  return file;
}

}  // namespace anemone::media
