#include "base/bytes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace anemone {
namespace {

TEST(BytesTest, DefaultIsEmpty) {
  const Bytes bytes;
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(bytes.size(), 0u);
}

TEST(BytesTest, CopyIsIndependentOfItsSource) {
  std::vector<uint8_t> source{1, 2, 3};
  const Bytes bytes = Bytes::Copy(source.data(), source.size());
  source[0] = 9;
  ASSERT_EQ(bytes.size(), 3u);
  EXPECT_EQ(bytes.As<uint8_t>()[0], 1);
}

TEST(BytesTest, CopyOfNothingIsEmpty) { EXPECT_TRUE(Bytes::Copy(nullptr, 0).empty()); }

TEST(BytesTest, ElementsAtAnyAddressAreAlignedOnceForAllCopies) {
  auto owner = std::make_shared<std::vector<std::byte>>(1 + 4 * sizeof(float));
  const float values[4] = {1, -2, 3.5f, 4};
  for (size_t shift = 0; shift < 2; ++shift) {
    std::memcpy(owner->data() + shift, values, sizeof(values));
    const Bytes view = Bytes(owner->data() + shift, sizeof(values), owner).AtAnyAddress();
    const std::vector<Bytes> copies(2, view);
    EXPECT_EQ(view.data(), owner->data() + shift);  // in place
    EXPECT_EQ(reinterpret_cast<uintptr_t>(view.As<float>().data()) % alignof(float), 0u);
    EXPECT_EQ(view.As<float>().data(), copies[0].As<float>().data());
    EXPECT_EQ(view.As<float>().data(), copies[1].As<float>().data());
    EXPECT_EQ(view.As<float>()[2], 3.5f);
    EXPECT_EQ(view.Slice(4, 8).As<float>()[0], -2);
    EXPECT_EQ(view.As<uint8_t>().data(), reinterpret_cast<const uint8_t*>(view.data()));
  }
}

TEST(BytesTest, FromVectorMovesTheValues) {
  std::vector<float> values{1.5f, -2.0f};
  const float* data = values.data();
  const Bytes bytes = Bytes::FromVector(std::move(values));
  EXPECT_EQ(bytes.size(), 8u);
  EXPECT_EQ(static_cast<const void*>(bytes.data()), data);
  EXPECT_EQ(bytes.As<float>()[1], -2.0f);
}

TEST(BytesTest, SliceKeepsTheOwnerAlive) {
  Bytes slice;
  {
    auto owner = std::make_shared<std::vector<uint8_t>>(std::vector<uint8_t>{10, 11, 12, 13});
    std::weak_ptr<std::vector<uint8_t>> watch = owner;
    Bytes whole(owner->data(), owner->size(), owner);
    slice = whole.Slice(1, 2);
    whole = {};
    owner.reset();
    EXPECT_FALSE(watch.expired());
    ASSERT_EQ(slice.As<uint8_t>().size(), 2u);
    EXPECT_EQ(slice.As<uint8_t>()[1], 12);
    slice = {};
    EXPECT_TRUE(watch.expired());
  }
}

TEST(BytesTest, CopyingSharesTheData) {
  const Bytes first = Bytes::FromVector(std::vector<int32_t>{7});
  const std::vector<Bytes> copies(2, first);
  EXPECT_EQ(first.data(), copies[0].data());
  EXPECT_EQ(first.data(), copies[1].data());
}

TEST(BytesTest, AsDropsAPartialElement) {
  const Bytes bytes = Bytes::FromVector(std::vector<uint8_t>(7));
  EXPECT_EQ(bytes.As<uint32_t>().size(), 1u);
}

}  // namespace
}  // namespace anemone
