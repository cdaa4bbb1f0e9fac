// Zip archives: the checksum of every entry, whatever its size.
#include "base/zip_reader.h"

#include <gtest/gtest.h>

#include "support/zip_writer.h"

namespace anemone {
namespace {

std::string Numbers(size_t count) {
  std::string text(count, '\0');
  uint32_t state = 1;
  for (char& byte : text) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return text;
}

// The sums come from zlib. Sizes around those at which another loop begins.
TEST(ZipReader, ChecksumsOfAllSizes) {
  std::vector<size_t> sizes;
  for (size_t size = 0; size < 300; ++size) sizes.push_back(size);
  sizes.insert(sizes.end(), {1000, 4096, 65537, 1 << 20});
  for (const size_t size : sizes) {
    const std::string data = Numbers(size);
    const std::string archive = test::Zip({{"a", data}});
    const auto read = ReadZip(Bytes::Copy(archive.data(), archive.size()), {});
    ASSERT_TRUE(read.ok()) << size << ": " << read.error().ToString();
    EXPECT_EQ(read->front().data.text(), data);
  }
}

TEST(ZipReader, OneBitElsewhereIsFound) {
  constexpr size_t kSize = 200;
  const std::string data = Numbers(kSize);
  const std::string archive = test::Zip({{"a", data}});
  const size_t first = archive.find(data);
  ASSERT_NE(first, std::string::npos);
  for (size_t i = 0; i < kSize; ++i) {
    std::string damaged = archive;
    damaged[first + i] = static_cast<char>(damaged[first + i] ^ (1 << (i % 8)));
    const auto read = ReadZip(Bytes::Copy(damaged.data(), damaged.size()), {});
    ASSERT_FALSE(read.ok()) << i;
    EXPECT_NE(read.error().ToString().find("checksum"), std::string::npos);
  }
}

}  // namespace
}  // namespace anemone
