#include "base/tree_hash.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <span>

#include "base/sha256.h"
#include "support/scratch.h"

namespace anemone {
namespace {

TEST(TreeHashTest, SeesNamesSizesAndContents) {
  const test::ScratchFolder scratch;
  test::WriteText(scratch / "a/one", "1");
  test::WriteText(scratch / "b/one", "1");
  EXPECT_EQ(HashTree(scratch / "a")->sha256, HashTree(scratch / "b")->sha256);
  EXPECT_EQ(HashTree(scratch / "a/one")->sha256, ToHex(Sha256Of(std::as_bytes(std::span("1", 1)))));
  test::WriteText(scratch / "b/one", "2");
  EXPECT_NE(HashTree(scratch / "a")->sha256, HashTree(scratch / "b")->sha256);
  test::WriteText(scratch / "b/one", "1");
  test::WriteText(scratch / "b/two", "");
  EXPECT_NE(HashTree(scratch / "a")->sha256, HashTree(scratch / "b")->sha256);
  EXPECT_EQ(HashTree(scratch / "none").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace anemone
