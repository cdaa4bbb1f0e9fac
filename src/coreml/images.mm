#include "coreml/images.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/dtype.h"
#include "exec/failure.h"

namespace anemone::coreml {
namespace {

using Space = ir::ImageFeature::ColorSpace;

OSType FormatOf(Space space) {
  if (space == Space::kGrayscale) return kCVPixelFormatType_OneComponent8;
  if (space == Space::kGrayscaleFp16) return kCVPixelFormatType_OneComponent16Half;
  return kCVPixelFormatType_32BGRA;
}

uint8_t Pixel(float value) {
  // NaN compares false, and becomes 0.
  return value > 0 ? static_cast<uint8_t>(std::lround(std::min(value, 255.0F))) : 0;
}

// Locks the memory for as long as this lives.
class Pixels {
 public:
  Pixels(CVPixelBufferRef buffer, CVPixelBufferLockFlags flags) : buffer_(buffer), flags_(flags) {
    locked_ = CVPixelBufferLockBaseAddress(buffer_, flags_) == kCVReturnSuccess;
  }
  ~Pixels() {
    if (locked_) CVPixelBufferUnlockBaseAddress(buffer_, flags_);
  }
  Pixels(const Pixels&) = delete;
  Pixels& operator=(const Pixels&) = delete;
  uint8_t* row(int64_t y) const {
    return static_cast<uint8_t*>(CVPixelBufferGetBaseAddress(buffer_)) +
           static_cast<size_t>(y) * CVPixelBufferGetBytesPerRow(buffer_);
  }
  bool usable() const { return locked_ && CVPixelBufferGetBaseAddress(buffer_) != nullptr; }

 private:
  CVPixelBufferRef buffer_;
  CVPixelBufferLockFlags flags_;
  bool locked_ = false;
};

// The plane of the tensor for blue, green and red, the order of the pixels in memory.
std::array<int64_t, 3> PlanesOfBgr(Space space) {
  return space == Space::kBgr ? std::array<int64_t, 3>{0, 1, 2} : std::array<int64_t, 3>{2, 1, 0};
}

Error NotLocked() {
  return exec::Failure(exec::FailureKind::kRuntimeError, "a pixel buffer could not be locked");
}

}  // namespace

Result<PixelBuffer> MakePixelBuffer(Space space, const ir::Shape& shape) {
  CVPixelBufferRef buffer = nullptr;
  const CVReturn code =
      CVPixelBufferCreate(nullptr, static_cast<size_t>(shape[3]), static_cast<size_t>(shape[2]),
                          FormatOf(space), nullptr, &buffer);
  if (code != kCVReturnSuccess || buffer == nullptr) {
    return exec::Failure(exec::FailureKind::kMemoryPressure,
                         fmt::format("CVPixelBufferCreate returned {}", code));
  }
  return PixelBuffer(buffer);
}

Status FillPixels(Space space, const exec::ConstTensor& from, CVPixelBufferRef to) {
  const Pixels pixels(to, 0);
  if (!pixels.usable()) return NotLocked();
  const int64_t height = from.shape[2], width = from.shape[3];
  const std::array<int64_t, 3> planes = PlanesOfBgr(space);
  for (int64_t y = 0; y < height; ++y) {
    uint8_t* row = pixels.row(y);
    const float* values = from.As<float>() + y * width;
    if (space == Space::kGrayscale) {
      for (int64_t x = 0; x < width; ++x) row[x] = Pixel(values[x]);
    } else if (space == Space::kGrayscaleFp16) {
      FloatToHalf({values, static_cast<size_t>(width)},
                  {reinterpret_cast<Half*>(row), static_cast<size_t>(width)});
    } else {
      for (int64_t x = 0; x < width; ++x) {
        for (size_t c = 0; c < 3; ++c)
          row[4 * x + static_cast<int64_t>(c)] = Pixel(values[planes[c] * height * width + x]);
        row[4 * x + 3] = 255;
      }
    }
  }
  return {};
}

Status ReadPixels(Space space, CVPixelBufferRef from, const exec::MutableTensor& to) {
  const int64_t height = to.shape[2], width = to.shape[3];
  if (from == nullptr || CVPixelBufferGetPixelFormatType(from) != FormatOf(space) ||
      CVPixelBufferGetWidth(from) != static_cast<size_t>(width) ||
      CVPixelBufferGetHeight(from) != static_cast<size_t>(height)) {
    return exec::Failure(exec::FailureKind::kSchemaMismatch,
                         "an image has another size or pixel format than the model declares");
  }
  const Pixels pixels(from, kCVPixelBufferLock_ReadOnly);
  if (!pixels.usable()) return NotLocked();
  const std::array<int64_t, 3> planes = PlanesOfBgr(space);
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* row = pixels.row(y);
    float* values = to.As<float>() + y * width;
    if (space == Space::kGrayscale) {
      for (int64_t x = 0; x < width; ++x) values[x] = row[x];
    } else if (space == Space::kGrayscaleFp16) {
      HalfToFloat({reinterpret_cast<const Half*>(row), static_cast<size_t>(width)},
                  {values, static_cast<size_t>(width)});
    } else {
      for (int64_t x = 0; x < width; ++x) {
        for (size_t c = 0; c < 3; ++c) {
          values[planes[c] * height * width + x] = row[4 * x + static_cast<int64_t>(c)];
        }
      }
    }
  }
  return {};
}

}  // namespace anemone::coreml
