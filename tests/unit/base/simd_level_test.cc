#include "base/simd_level.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace anemone {
namespace {

TEST(SimdLevel, EachLevelIsUsedAndNamedOnce) {
  const std::vector<SimdLevel>& levels = SimdLevels();
  ASSERT_FALSE(levels.empty());
  for (const SimdLevel& level : levels) {
    UseSimdLevel(level);
    EXPECT_EQ(Dots().bytes(), level.dots.bytes()) << level.name;
    EXPECT_EQ(Dots().avx512_bf16, level.dots.avx512_bf16) << level.name;
    EXPECT_EQ(std::ranges::count(levels, level.name, &SimdLevel::name), 1) << level.name;
  }
  UseSimdLevel(levels.back());
}

// A level has the instructions of those of its kind before it.
TEST(SimdLevel, LevelsGrow) {
  const std::vector<SimdLevel>& levels = SimdLevels();
  for (size_t i = 1; i < levels.size(); ++i) {
    const SimdLevel& before = levels[i - 1];
    EXPECT_EQ(before.targets & levels[i].targets, before.targets) << levels[i].name;
    if (before.targets != levels[i].targets) continue;
    EXPECT_GE(levels[i].dots.avx512_vnni, before.dots.avx512_vnni) << levels[i].name;
    EXPECT_GE(levels[i].dots.avx512_bf16, before.dots.avx512_bf16) << levels[i].name;
  }
}

}  // namespace
}  // namespace anemone
