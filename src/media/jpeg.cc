// JPEG by libjpeg-turbo with its defaults, which are Pillow's: accurate integer DCT, smooth chroma
// upsampling. libjpeg reports errors by longjmp, so the functions between setjmp and it hold no
// objects with destructors; all memory belongs to the caller.
#include <cstddef>
#include <cstdio>  // jpeglib.h needs FILE and size_t declared before it

#include <jpeglib.h>

#include <csetjmp>
#include <cstring>

#include "media/image.h"

namespace anemone::media {
namespace {

constexpr int kMaxScans = 500;  // a progressive file of endless tiny scans would take hours

struct Job {
  jpeg_decompress_struct decoder{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump{};
  char message[JMSG_LENGTH_MAX] = {};
  bool created = false;

  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() {
    if (created) jpeg_destroy_decompress(&decoder);
  }
};

[[noreturn]] void Fail(j_common_ptr common, const char* message) {
  auto* job = static_cast<Job*>(common->client_data);
  std::strncpy(job->message, message, sizeof(job->message) - 1);
  std::longjmp(job->jump, 1);
}
[[noreturn]] void OnError(j_common_ptr common) {
  char message[JMSG_LENGTH_MAX];
  common->err->format_message(common, message);
  Fail(common, message);
}
// Warnings (odd but decodable data) are ignored, as Pillow does.
void OnMessage(j_common_ptr, int) {}
void OnOutput(j_common_ptr) {}
void OnProgress(j_common_ptr common) {
  if (reinterpret_cast<j_decompress_ptr>(common)->input_scan_number > kMaxScans) {
    Fail(common, "too many scans");
  }
}

void StartSource(j_decompress_ptr) {}
boolean FillSource(j_decompress_ptr decoder) {
  Fail(reinterpret_cast<j_common_ptr>(decoder), "the file is truncated");
}
void SkipSource(j_decompress_ptr decoder, long count) {  // NOLINT: libjpeg's type
  if (count <= 0) return;
  jpeg_source_mgr* source = decoder->src;
  if (static_cast<size_t>(count) > source->bytes_in_buffer) FillSource(decoder);
  source->next_input_byte += count;
  source->bytes_in_buffer -= static_cast<size_t>(count);
}

bool ReadHeader(Job* job, const std::byte* data, size_t size) {
  job->decoder.err = jpeg_std_error(&job->errors);
  job->decoder.client_data = job;
  job->errors.error_exit = OnError;
  job->errors.emit_message = OnMessage;
  job->errors.output_message = OnOutput;
  if (setjmp(job->jump) != 0) return false;
  job->created = true;  // from here on jpeg_destroy is safe
  jpeg_create_decompress(&job->decoder);
  job->decoder.client_data = job;  // creation clears it
  job->progress.progress_monitor = OnProgress;
  job->decoder.progress = &job->progress;
  job->source.init_source = StartSource;
  job->source.fill_input_buffer = FillSource;
  job->source.skip_input_data = SkipSource;
  job->source.resync_to_restart = jpeg_resync_to_restart;
  job->source.term_source = StartSource;
  job->source.next_input_byte = reinterpret_cast<const JOCTET*>(data);
  job->source.bytes_in_buffer = size;
  job->decoder.src = &job->source;
  jpeg_read_header(&job->decoder, TRUE);
  return true;
}

bool ReadRows(Job* job, uint8_t* out, size_t row_bytes) {
  if (setjmp(job->jump) != 0) return false;
  jpeg_start_decompress(&job->decoder);
  while (job->decoder.output_scanline < job->decoder.output_height) {
    JSAMPROW row = out + size_t{job->decoder.output_scanline} * row_bytes;
    jpeg_read_scanlines(&job->decoder, &row, 1);
  }
  return true;  // data after the last row does not matter; the end marker may be missing
}

Error Broken(const Job& job) { return InvalidInput("broken JPEG: {}", job.message); }

// a * b / 255, rounded.
int Scale255(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// Adobe's CMYK as files hold it (inverted: 255 is no ink) to RGB, in place of the first three of
// four channels.
void CmykToRgb(const std::vector<uint8_t>& cmyk, std::vector<uint8_t>* rgb) {
  const size_t count = cmyk.size() / 4;
  rgb->resize(count * 3);
  for (size_t i = 0; i < count; ++i) {
    const int paper = cmyk[4 * i + 3];  // 255 - black
    for (size_t c = 0; c < 3; ++c) {
      const int ink = 255 - cmyk[4 * i + c];
      (*rgb)[3 * i + c] = static_cast<uint8_t>(paper - Scale255(ink, paper));
    }
  }
}

}  // namespace

Result<Image> DecodeJpeg(const Bytes& file) {
  Job job;
  if (!ReadHeader(&job, file.data(), file.size())) return Broken(job);
  const auto width = static_cast<int64_t>(job.decoder.image_width);
  const auto height = static_cast<int64_t>(job.decoder.image_height);
  ANEMONE_TRY(CheckImageSize(width, height));
  const int components = job.decoder.num_components;
  if (components != 1 && components != 3 && components != 4) {
    return Unsupported("a JPEG of {} components is not supported", components);
  }
  job.decoder.out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;

  Image image{static_cast<int>(width), static_cast<int>(height), {}};
  const size_t channels = components == 4 ? 4 : 3;
  const size_t row_bytes = static_cast<size_t>(width) * channels;
  std::vector<uint8_t> raw(row_bytes * static_cast<size_t>(height));
  if (!ReadRows(&job, raw.data(), row_bytes)) return Broken(job);
  if (components == 4) {
    CmykToRgb(raw, &image.pixels);
  } else {
    image.pixels = std::move(raw);
  }
  return image;
}

}  // namespace anemone::media
