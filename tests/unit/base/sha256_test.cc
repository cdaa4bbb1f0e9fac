#include "base/sha256.h"

#include <gtest/gtest.h>

namespace anemone {
namespace {

std::string HexOf(std::string_view text) {
  return ToHex(Sha256Of(std::as_bytes(std::span(text.data(), text.size()))));
}

// The examples of FIPS 180-4.
TEST(Sha256Test, KnownDigests) {
  EXPECT_EQ(HexOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, PiecesGiveTheSameDigestAndFinishStartsAnew) {
  Sha256 sha;
  sha.Update("a");
  sha.Update("");
  sha.Update("bc");
  EXPECT_EQ(ToHex(sha.Finish()), HexOf("abc"));
  EXPECT_EQ(ToHex(sha.Finish()), HexOf(""));
}

}  // namespace
}  // namespace anemone
