// Blocks of kernel memory: apart, aligned, and given back to the system when they are returned.
#include "base/huge_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace anemone::huge_pages {
namespace {

constexpr size_t kPage = 4096;

// Whole pages of the block that are in memory.
size_t ResidentPages(void* block, size_t size) {
  const size_t before = (kPage - reinterpret_cast<uintptr_t>(block) % kPage) % kPage;
  std::vector<unsigned char> pages((size - before) / kPage);
  std::byte* const begin = static_cast<std::byte*>(block) + before;
  if (::mincore(begin, pages.size() * kPage, pages.data()) != 0) return 0;
  size_t resident = 0;
  for (const unsigned char page : pages) resident += page & 1;
  return resident;
}

TEST(HugePages, BlocksAreAlignedAndApart) {
  struct Block {
    unsigned char* data;
    size_t size;
  };
  std::vector<Block> blocks;
  for (const size_t size :
       {kSmallest, kSmallest + 1, size_t{3'000'001}, size_t{70} << 20, kSmallest + 4095}) {
    auto* data = static_cast<unsigned char*>(Take(size));
    ASSERT_NE(data, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
    std::memset(data, static_cast<int>(blocks.size() + 1), size);
    blocks.push_back({data, size});
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i].data[0], i + 1);
    EXPECT_EQ(blocks[i].data[blocks[i].size - 1], i + 1);
  }
  for (const Block& block : blocks) Return(block.data, block.size);
}

TEST(HugePages, AReturnedBlockIsNoLongerResidentAndItsNeighborsAreUnchanged) {
  constexpr size_t kSize = size_t{5} << 20;
  auto* before = static_cast<unsigned char*>(Take(kSize));
  auto* middle = static_cast<unsigned char*>(Take(kSize));
  auto* after = static_cast<unsigned char*>(Take(kSize));
  ASSERT_TRUE(before != nullptr && middle != nullptr && after != nullptr);
  for (unsigned char* block : {before, middle, after}) std::memset(block, 7, kSize);
  EXPECT_GE(ResidentPages(middle, kSize), kSize / kPage - 1);
  Return(middle, kSize);
  EXPECT_EQ(ResidentPages(middle, kSize), 0u);
  for (size_t i = 0; i < kSize; ++i) ASSERT_TRUE(before[i] == 7 && after[i] == 7) << i;
  Return(before, kSize);
  Return(after, kSize);
}

TEST(HugePages, WhatIsTooLargeIsRefused) {
  EXPECT_EQ(Take(SIZE_MAX), nullptr);
  EXPECT_EQ(Take(SIZE_MAX / 2), nullptr);
  Return(nullptr, kSmallest);
}

TEST(HugePages, ManyThreadsTakeAndReturn) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 200; ++i) {
        const size_t size = kSmallest + static_cast<size_t>(i) * 997;
        auto* block = static_cast<unsigned char*>(Take(size));
        ASSERT_NE(block, nullptr);
        std::memset(block, t, size);
        EXPECT_EQ(block[size / 2], t);
        Return(block, size);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace anemone::huge_pages
