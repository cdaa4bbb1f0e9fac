// Image features: pixel buffers from and to the [1, C, H, W] tensors that the program sees. Values
// are 0 ... 255, rounded to the nearest and clamped for the 8-bit formats, to half for
// kGrayscaleFp16. Objective-C++ only; call inside Pooled().
#pragma once

#import <CoreVideo/CVPixelBuffer.h>

#include <utility>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::coreml {

// An owned CVPixelBuffer.
class PixelBuffer {
 public:
  PixelBuffer() = default;
  explicit PixelBuffer(CVPixelBufferRef buffer) : buffer_(buffer) {}
  PixelBuffer(PixelBuffer&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  PixelBuffer& operator=(PixelBuffer&& other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~PixelBuffer() {
    if (buffer_ != nullptr) CVPixelBufferRelease(buffer_);
  }
  CVPixelBufferRef get() const { return buffer_; }

 private:
  CVPixelBufferRef buffer_ = nullptr;
};

Result<PixelBuffer> MakePixelBuffer(ir::ImageFeature::ColorSpace space, const ir::Shape& shape);
// `from` is float32 [1, C, H, W] of the buffer's size.
Status FillPixels(ir::ImageFeature::ColorSpace space, const exec::ConstTensor& from,
                  CVPixelBufferRef to);
// exec::Failure(kSchemaMismatch) when the buffer has another size or format.
Status ReadPixels(ir::ImageFeature::ColorSpace space, CVPixelBufferRef from,
                  const exec::MutableTensor& to);

}  // namespace anemone::coreml
