// Resizes images by separable two-point interpolation over NHWC. The caller computes the source
// points and weights of each output row and column for its coordinate convention. Thread rules:
// pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

// (1 - weight) * in[low] + weight * in[high]; nearest neighbor is weight 0.
struct ResizeTap {
  int64_t low = 0;
  int64_t high = 0;
  float weight = 0.0f;
};

// in: [batch, in_h, in_w, channels], out: [batch, y.size(), x.size(), channels]; must not overlap.
// Columns are interpolated first, then rows.
void Resize(const float* in, float* out, int64_t batch, int64_t in_h, int64_t in_w,
            int64_t channels, std::span<const ResizeTap> y, std::span<const ResizeTap> x,
            ThreadPool& pool);

}  // namespace anemone::cpu
