// PNG by libpng. libpng reports errors by longjmp, so the functions between setjmp and it hold no
// objects with destructors; all memory belongs to the caller.
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <string>

#include "media/image.h"

namespace anemone::media {
namespace {

constexpr uint64_t kMaxDeflateRatio = 1032;

struct PngJob {
  const std::byte* data = nullptr;
  size_t size = 0;
  size_t position = 0;
  png_structp png = nullptr;
  png_infop info = nullptr;
  char message[256] = {};

  PngJob(const std::byte* d, size_t s) : data(d), size(s) {}
  PngJob(const PngJob&) = delete;
  PngJob& operator=(const PngJob&) = delete;
  ~PngJob() { png_destroy_read_struct(&png, &info, nullptr); }
};

void OnPngError(png_structp png, png_const_charp message) {
  auto* job = static_cast<PngJob*>(png_get_error_ptr(png));
  std::strncpy(job->message, message, sizeof(job->message) - 1);
  png_longjmp(png, 1);
}
void OnWarning(png_structp, png_const_charp) {}
void OnRead(png_structp png, png_bytep out, size_t size) {
  auto* job = static_cast<PngJob*>(png_get_io_ptr(png));
  if (size > job->size - job->position) png_error(png, "the file is truncated");
  std::memcpy(out, job->data + job->position, size);
  job->position += size;
}

bool ReadPngHeader(PngJob* job) {
  if (setjmp(png_jmpbuf(job->png)) != 0) return false;
  png_set_read_fn(job->png, job, OnRead);
  png_read_info(job->png, job->info);
  return true;
}

// After this, rows hold: RGB8; or palette indices (one byte each); or gray 16-bit big-endian.
bool Configure(PngJob* job, bool palette, bool gray16) {
  if (setjmp(png_jmpbuf(job->png)) != 0) return false;
  if (palette) {
    png_set_packing(job->png);
  } else if (!gray16) {
    png_set_strip_16(job->png);
    png_set_expand_gray_1_2_4_to_8(job->png);
    png_set_strip_alpha(job->png);
    png_set_gray_to_rgb(job->png);
  }
  png_set_interlace_handling(job->png);
  png_read_update_info(job->png, job->info);
  return true;
}

bool ReadPngRows(PngJob* job, png_bytepp rows) {
  if (setjmp(png_jmpbuf(job->png)) != 0) return false;
  png_read_image(job->png, rows);
  return true;
}

Error BrokenPng(const PngJob& job) { return InvalidInput("broken PNG: {}", job.message); }

}  // namespace

Result<Image> DecodePng(const Bytes& file) {
  PngJob job(file.data(), file.size());
  job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, OnPngError, OnWarning);
  if (job.png == nullptr) return Internal("libpng cannot be initialized");
  job.info = png_create_info_struct(job.png);
  if (job.info == nullptr) return Internal("libpng cannot be initialized");
  png_set_user_limits(job.png, 0x7FFFFFFF, 0x7FFFFFFF);  // CheckImageSize limits the product
  if (!ReadPngHeader(&job)) return BrokenPng(job);

  const auto width = static_cast<int64_t>(png_get_image_width(job.png, job.info));
  const auto height = static_cast<int64_t>(png_get_image_height(job.png, job.info));
  ANEMONE_TRY(CheckImageSize(width, height));
  const int type = png_get_color_type(job.png, job.info);
  const int depth = png_get_bit_depth(job.png, job.info);
  const uint64_t packed_row = png_get_rowbytes(job.png, job.info);
  if (packed_row * static_cast<uint64_t>(height) / kMaxDeflateRatio > file.size()) {
    return InvalidInput("broken PNG: {} bytes cannot hold {} x {} pixels", file.size(), width,
                        height);
  }
  const bool palette = type == PNG_COLOR_TYPE_PALETTE;
  const bool gray16 = type == PNG_COLOR_TYPE_GRAY && depth == 16;
  if (!Configure(&job, palette, gray16)) return BrokenPng(job);

  const size_t row_bytes = png_get_rowbytes(job.png, job.info);
  std::vector<uint8_t> raw(row_bytes * static_cast<size_t>(height));
  std::vector<png_bytep> rows(static_cast<size_t>(height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = raw.data() + y * row_bytes;
  if (!ReadPngRows(&job, rows.data())) return BrokenPng(job);

  Image image{static_cast<int>(width), static_cast<int>(height), {}};
  if (!palette && !gray16) {
    image.pixels = std::move(raw);
    return image;
  }
  png_colorp colors = nullptr;
  int color_count = 0;
  if (palette) png_get_PLTE(job.png, job.info, &colors, &color_count);
  const size_t count = static_cast<size_t>(width) * static_cast<size_t>(height);
  image.pixels.resize(count * 3);
  for (size_t i = 0; i < count; ++i) {
    uint8_t* out = image.pixels.data() + i * 3;
    if (gray16) {
      out[0] = out[1] = out[2] = raw[2 * i] == 0 ? raw[2 * i + 1] : uint8_t{255};
    } else if (raw[i] < color_count) {  // indices past the palette stay black
      out[0] = colors[raw[i]].red;
      out[1] = colors[raw[i]].green;
      out[2] = colors[raw[i]].blue;
    }
  }
  return image;
}

}  // namespace anemone::media
