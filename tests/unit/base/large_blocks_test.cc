// Large blocks: written from end to end, given again, bounded, and not mixed up by threads.
#include "base/large_blocks.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace anemone::large_blocks {
namespace {

TEST(LargeBlocks, AFreedBlockIsGivenToTheNextOfAboutItsSize) {
  constexpr size_t kSize = (size_t{5} << 20) + 1;
  void* first = Take(kSize);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0U);
  std::memset(first, 1, kSize);
  Return(first, kSize);
  void* again = Take(kSize + 4096);
  EXPECT_EQ(again, first);
  std::memset(again, 2, kSize + 4096);
  void* other = Take(kSize);
  EXPECT_NE(other, first);
  Return(again, kSize + 4096);
  Return(other, kSize);
}

TEST(LargeBlocks, WhatIsKeptIsBounded) {
  std::vector<void*> blocks;
  for (int i = 0; i < 200; ++i) blocks.push_back(Take(kSmallest));
  for (void* block : blocks) Return(block, kSmallest);
  EXPECT_GT(KeptBytes(), 0U);
  blocks.clear();
  for (int i = 0; i < 5; ++i) blocks.push_back(Take(kKeptBytes / 4));
  for (void* block : blocks) Return(block, kKeptBytes / 4);
  EXPECT_EQ(KeptBytes(), kKeptBytes);
  void* giant = Take(kKeptBytes * 2);
  ASSERT_NE(giant, nullptr);
  Return(giant, kKeptBytes * 2);
  EXPECT_EQ(KeptBytes(), kKeptBytes);
}

TEST(LargeBlocks, WhatCannotBeHadIsNull) {
  EXPECT_EQ(Take(SIZE_MAX), nullptr);
  EXPECT_EQ(Take(SIZE_MAX / 2), nullptr);
  Return(nullptr, kSmallest);
}

TEST(LargeBlocks, ThreadsHaveBlocksOfTheirOwn) {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &wrong] {
      for (int i = 0; i < 500; ++i) {
        const size_t size = kSmallest + static_cast<size_t>(i % 7) * 40000;
        auto* data = static_cast<unsigned char*>(Take(size));
        std::memset(data, t + 1, size);
        std::this_thread::yield();
        if (data[0] != t + 1 || data[size - 1] != t + 1) ++wrong[static_cast<size_t>(t)];
        Return(data, size);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace anemone::large_blocks
