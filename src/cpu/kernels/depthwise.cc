#include "cpu/kernels/depthwise.h"

#include <algorithm>
#include <cstddef>

#include "base/simd_targets.h"
#include "base/thread_pool.h"
#include "cpu/kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/depthwise.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/depthwise-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

// Of depthwise_bytes.cc and depthwise_narrow.cc, for the same target.
void RowOfBytes(const ConvShape& s, const uint8_t* in, int zero, const float* weights, float* out,
                int64_t row);
void RowOfNarrow(const ConvShape& s, const NarrowInt* in, const float* weights, float* out,
                 int64_t row);

// One of the batch * out_h rows.
void AnyRow(const ConvShape& s, const Source& in, int zero, const float* weights, float* out,
            int64_t row) {
  if (in.bytes != nullptr) return RowOfBytes(s, in.bytes, zero, weights, out, row);
  if (in.narrow != nullptr) return RowOfNarrow(s, in.narrow, weights, out, row);
  Row(s, in.floats, 0, weights, out, row);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(AnyRow);

Floats PackDepthwise(const ConvShape& s, const float* weights, float scale, const float* bias) {
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t stride = PackedColumns(s.out_c);
  Floats packed((taps + 1) * stride);
  float* to = packed.data();
  std::fill_n(to, (taps + 1) * stride, 0.0f);
  for (int64_t c = 0; c < s.out_c; ++c) {
    for (int64_t t = 0; t < taps; ++t) to[t * stride + c] = weights[c * taps + t] * scale;
    if (bias != nullptr) to[taps * stride + c] = bias[c];
  }
  return packed;
}

void RunDepthwise(const ConvShape& s, const Source& in, int zero, const Floats& weights,
                  const Destination& out, std::span<const Step> steps, ThreadPool& pool) {
  const auto run_row = HWY_DYNAMIC_DISPATCH(AnyRow);
  const int64_t row_values = s.out_w * s.out_c;
  const int64_t row_flops = row_values * s.kernel_h * s.kernel_w * 2;
  const int64_t grain = std::max<int64_t>(1, 100'000 / std::max<int64_t>(row_flops, 1));
  pool.ParallelFor(s.batch * s.out_h, grain, [&](int64_t begin, int64_t end) {
    thread_local Floats waiting;
    if (out.floats == nullptr) waiting.Reserve(row_values);
    for (int64_t row = begin; row < end; ++row) {
      float* to = out.floats == nullptr ? waiting.data() : out.floats + row * row_values;
      run_row(s, in, zero, weights.data(), to, row);
      if (!steps.empty()) {
        ApplyStepsToBlock(steps, to, s.out_c, row * s.out_w, s.out_w, 0, s.out_c);
      }
      if (out.floats == nullptr) {
        StoreIntegers(to, out, row * row_values, row_values);
      }
    }
  });
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
