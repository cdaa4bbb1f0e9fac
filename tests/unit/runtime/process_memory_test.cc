#include "runtime/process_memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace anemone::runtime {
namespace {

TEST(ProcessMemoryTest, WhatIsTouchedIsResident) {
  const auto before = ResidentBytes();
  ASSERT_TRUE(before);
  const std::vector<char> touched(size_t{64} << 20, 1);
  EXPECT_GE(*ResidentBytes() - *before, int64_t{60} << 20) << touched.front();
  // Systems update the two in different steps.
  EXPECT_GE(PeakResidentBytes().value_or(0), *before + (int64_t{60} << 20));
}

}  // namespace
}  // namespace anemone::runtime
