#include "base/content_hash.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace anemone {
namespace {

std::string Hex(const ContentHash& hash) {
  std::string text;
  for (const uint8_t byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

// Values that the xxhsum command (0.8.1, -H2) prints.
TEST(ContentHashTest, EqualsXxhsum) {
  EXPECT_EQ(Hex(ContentHashOf("")), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(Hex(ContentHashOf("anemone")), "f3d8f2a8dd49444ee270d11b9fe66cc2");
  EXPECT_EQ(Hex(ContentHashOf(std::string(1000, 'a'))), "b01da365eddaa29cb3e7af627147db7c");
}

TEST(ContentHashTest, EveryByteCounts) {
  const std::string text(300, 'x');
  const ContentHash whole = ContentHashOf(text);
  for (size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = 'y';
    EXPECT_NE(ContentHashOf(other), whole) << i;
  }
  EXPECT_NE(ContentHashOf(text.substr(1)), whole);
}

}  // namespace
}  // namespace anemone
