#include "base/uuid.h"

#include <gtest/gtest.h>

namespace anemone {
namespace {

TEST(UuidTest, IsAVersion8UuidOfTheHash) {
  const std::string uuid = UuidFrom(ContentHashOf(""));
  EXPECT_EQ(uuid, "99AA06D3-0147-88D8-A001-C324468D497F");
  EXPECT_TRUE(IsUuid(uuid));
}

TEST(UuidTest, RecognizesUuids) {
  EXPECT_TRUE(IsUuid("5f15aadd-2f4e-4414-826f-af8d81b958c7"));
  EXPECT_FALSE(IsUuid("5f15aadd-2f4e-4414-826f-af8d81b958c"));
  EXPECT_FALSE(IsUuid("5f15aadd-2f4e-4414-826f-af8d81b958cg"));
  EXPECT_FALSE(IsUuid("5f15aadd02f4e-4414-826f-af8d81b958c7"));
  EXPECT_FALSE(IsUuid(""));
}

}  // namespace
}  // namespace anemone
