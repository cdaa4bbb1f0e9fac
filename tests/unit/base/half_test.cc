#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/dtype.h"

namespace anemone {
namespace {

TEST(HalfArrays, EveryHalfWidensAsOneByOne) {
  std::vector<Half> in(65536);
  for (size_t i = 0; i < in.size(); ++i) in[i].bits = static_cast<uint16_t>(i);
  std::vector<float> out(in.size());
  HalfToFloat(in, out);
  for (size_t i = 0; i < in.size(); ++i) {
    const float expected = HalfToFloat(static_cast<uint16_t>(i));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(out[i])) << i;
    } else {
      ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(expected)) << i;
    }
  }
  std::vector<Half> back(in.size());
  FloatToHalf(out, back);
  for (size_t i = 0; i < in.size(); ++i) {
    if (std::isnan(out[i])) continue;
    ASSERT_EQ(back[i].bits, in[i].bits) << i;
  }
}

TEST(HalfArrays, NarrowingAndRoundingAgreeWithOneByOne) {
  // Every exponent, with mantissas around ties; an odd count, so that the tail is reached too.
  std::vector<float> in;
  for (uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (const uint32_t mantissa :
         {0u, 1u, 0xFFFu, 0x1000u, 0x1001u, 0x2FFFu, 0x3000u, 0x3001u, 0x7FFFFFu, 0x400000u}) {
      for (const uint32_t sign : {0u, 0x80000000u}) {
        in.push_back(std::bit_cast<float>(sign | exponent << 23 | mantissa));
      }
    }
  }
  in.push_back(INFINITY);
  std::vector<Half> narrow(in.size());
  FloatToHalf(in, narrow);
  std::vector<float> rounded = in;
  RoundToHalf(rounded);
  for (size_t i = 0; i < in.size(); ++i) {
    ASSERT_EQ(narrow[i].bits, FloatToHalf(in[i])) << in[i];
    ASSERT_EQ(std::bit_cast<uint32_t>(rounded[i]),
              std::bit_cast<uint32_t>(HalfToFloat(FloatToHalf(in[i]))))
        << in[i];
  }
}

TEST(HalfArrays, NanStaysAndEmptyIsFine) {
  std::vector<float> values(37, NAN);
  RoundToHalf(values);
  for (const float v : values) EXPECT_TRUE(std::isnan(v));
  RoundToHalf({});
}

}  // namespace
}  // namespace anemone
