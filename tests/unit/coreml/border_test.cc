// The pure parts of the boundary: strided copies, kinds of errors, features.
#include <gtest/gtest.h>

#include <cerrno>
#include <limits>
#include <vector>

#include "coreml/classify.h"
#include "coreml/strided.h"

namespace anemone::coreml {
namespace {

using exec::FailureKind;

exec::Tensor Counting(ir::Shape shape) {
  exec::Tensor tensor = *exec::Tensor::Allocate(DType::kFp32, std::move(shape));
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.As<float>()[i] = static_cast<float>(i) + 1;
  return tensor;
}

TEST(Strided, RoundTripsThroughEveryLayout) {
  struct Layout {
    ir::Shape shape, strides;
    size_t elements;
  };
  for (const Layout& layout : {Layout{{2, 3, 4}, {12, 4, 1}, 24},     // row-major
                               Layout{{2, 3, 4}, {48, 16, 1}, 96},    // padded rows
                               Layout{{2, 3, 4}, {1, 2, 6}, 24},      // last axis slowest
                               Layout{{2, 3, 4}, {100, 10, 2}, 240},  // gaps everywhere
                               Layout{{24}, {3}, 72}, Layout{{1}, {1}, 1}}) {
    const exec::Tensor source = Counting(layout.shape);
    for (const DType dtype : {DType::kFp32, DType::kFp16}) {
      const size_t size = layout.elements * static_cast<size_t>(BitWidth(dtype) / 8);
      std::vector<uint32_t> memory(size / 4 + 1, 0xFFFFFFFFu);
      const StridedArray array{dtype, layout.shape, layout.strides, size};
      ASSERT_TRUE(CopyToStrided(source.view(), array, memory.data()).ok());
      exec::Tensor back = *exec::Tensor::Allocate(DType::kFp32, layout.shape);
      ASSERT_TRUE(CopyFromStrided(array, memory.data(), back.mutable_view()).ok());
      for (int64_t i = 0; i < source.count(); ++i) {
        ASSERT_EQ(back.As<float>()[i], source.As<float>()[i]);
      }
    }
  }
}

TEST(Strided, DoublesAndIntegersAreRead) {
  const double doubles[] = {0.5, -1, 2, 1e300};
  exec::Tensor floats = *exec::Tensor::Allocate(DType::kFp32, {4});
  ASSERT_TRUE(
      CopyFromStrided({DType::kFp64, {4}, {1}, sizeof doubles}, doubles, floats.mutable_view())
          .ok());
  EXPECT_EQ(floats.As<float>()[0], 0.5F);
  const int32_t numbers[] = {1, 9, -2, 9};
  exec::Tensor ints = *exec::Tensor::Allocate(DType::kInt32, {2});
  ASSERT_TRUE(
      CopyFromStrided({DType::kInt32, {2}, {2}, sizeof numbers}, numbers, ints.mutable_view())
          .ok());
  EXPECT_EQ(ints.As<int32_t>()[1], -2);
}

TEST(Strided, WhatReachesOutsideIsRefused) {
  exec::Tensor to = Counting({2, 3});
  std::vector<float> memory(64, 0);
  const int64_t most = std::numeric_limits<int64_t>::max();
  for (const StridedArray& bad : {
           StridedArray{DType::kFp32, {2, 3}, {3, 1}, 20},         // one element short
           StridedArray{DType::kFp32, {2, 3}, {most, 1}, 256},     // overflows
           StridedArray{DType::kFp32, {2, 3}, {-3, 1}, 256},       // before the start
           StridedArray{DType::kFp32, {2, 3}, {1}, 256},           // too few strides
           StridedArray{DType::kFp32, {2, 4}, {4, 1}, 256},        // another count
           StridedArray{DType::kFp32, {most, most}, {0, 0}, 256},  // a count that overflows
           StridedArray{DType::kInt32, {2, 3}, {3, 1}, 256},       // another kind
           StridedArray{DType::kInvalid, {2, 3}, {3, 1}, 256},
       }) {
    const Status read = CopyFromStrided(bad, memory.data(), to.mutable_view());
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(exec::FailureKindOf(read.error()), FailureKind::kSchemaMismatch);
    EXPECT_FALSE(CopyToStrided(to.view(), bad, memory.data()).ok());
  }
}

TEST(Classify, ByDomainCodeAndText) {
  const auto kind = [](std::string_view domain, int64_t code, std::string_view text) {
    return Classify(FailureKind::kRuntimeError, {domain, code, text});
  };
  EXPECT_EQ(kind("com.apple.CoreML", 0, "Error computing NN outputs."), FailureKind::kRuntimeError);
  EXPECT_EQ(kind("com.apple.CoreML", 1, "Input image feature image does not match"),
            FailureKind::kSchemaMismatch);
  EXPECT_EQ(kind("other.domain", 1, ""), FailureKind::kRuntimeError);
  EXPECT_EQ(kind("NSPOSIXErrorDomain", 12, "Cannot allocate memory"), FailureKind::kMemoryPressure);
  EXPECT_EQ(kind("NSPOSIXErrorDomain", ETIMEDOUT, ""), FailureKind::kTimeout);
  EXPECT_EQ(kind("com.apple.CoreML", 0, "Failed to Allocate Memory for it"),
            FailureKind::kMemoryPressure);
  EXPECT_EQ(kind("com.apple.CoreML", 0, "the request timed out"), FailureKind::kTimeout);
  EXPECT_EQ(kind("NSMallocException", 0, ""), FailureKind::kMemoryPressure);
  EXPECT_EQ(Classify(FailureKind::kLoadError, {"com.apple.CoreML", 3, "io"}),
            FailureKind::kLoadError);
}

}  // namespace
}  // namespace anemone::coreml
