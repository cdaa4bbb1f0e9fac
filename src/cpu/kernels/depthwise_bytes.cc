#include <cstdint>

#include "base/simd_targets.h"
#include "cpu/kernels/depthwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/depthwise_bytes.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/depthwise-inl.h"
#include "hwy/highway.h"

// A file of its own, so that no file of kernels takes long to compile: depthwise.cc calls this, target by target.
HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

void RowOfBytes(const ConvShape& s, const uint8_t* in, int zero, const float* weights, float* out,
                int64_t row) {
  Row(s, in, zero, weights, out, row);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();
