// Max and average pooling over NHWC. Thread rules: pure functions.
#pragma once

#include <cstdint>

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

struct PoolShape {
  int64_t batch = 1;
  int64_t in_h = 1, in_w = 1, channels = 1;
  int64_t out_h = 1, out_w = 1;
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_top = 0, pad_left = 0;  // bottom and right follow from out_h and out_w
};

enum class PoolKind : uint8_t {
  kMax,            // padding never wins; a window of only padding gives -infinity
  kAverage,        // padding counts: the divisor is kernel_h * kernel_w
  kAverageInside,  // padding does not count; a window of only padding gives 0
};

// in: [batch, in_h, in_w, channels], out: [batch, out_h, out_w, channels]; must not overlap. Sums
// go row by row of the window, so that a global average of a large image keeps its accuracy.
void Pool(PoolKind kind, const PoolShape& shape, const float* in, float* out, ThreadPool& pool);
// kMax of bytes, where every window has a pixel of the image.
bool HasNoEmptyWindow(const PoolShape& shape);
void MaxPoolBytes(const PoolShape& shape, const uint8_t* in, uint8_t* out, ThreadPool& pool);

}  // namespace anemone::cpu
