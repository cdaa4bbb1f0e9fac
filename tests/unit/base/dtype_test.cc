#include "base/dtype.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <set>
#include <string>

namespace anemone {
namespace {

constexpr int kDTypeCount = static_cast<int>(DType::kUInt64) + 1;

// The value of a half by the definition in IEEE 754: sign, 5 bits of exponent, 10 of significand.
double HalfByDefinition(uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  const int exponent = (bits >> 10) & 31;
  const int significand = bits & 1023;
  if (exponent == 31) {
    return significand != 0 ? std::numeric_limits<double>::quiet_NaN()
                            : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(significand, -24);
  return sign * std::ldexp(1024 + significand, exponent - 25);
}

bool HalfIsNan(uint16_t bits) { return (bits & 0x7C00) == 0x7C00 && (bits & 0x3FF) != 0; }

// Rounds to half by scaling to an integer and letting nearbyint round ties to even: shares nothing
// with the bit arithmetic under test. `value` is not NaN.
uint16_t HalfByScaling(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(value));
  if (magnitude == 0) return sign;
  if (std::isinf(magnitude)) return sign | 0x7C00;
  // The unit in the last place of halves around `magnitude`; subnormals share that of 2^-14.
  const int exponent = std::max(std::ilogb(magnitude), -14);
  const double units = std::nearbyint(std::ldexp(magnitude, 10 - exponent));
  // 2048 units is the first value of the next binade, which the sum below carries into.
  const int bits = (exponent + 14) * 1024 + static_cast<int>(units);
  return sign | static_cast<uint16_t>(std::min(bits, 0x7C00));
}

TEST(DTypeTest, NamesGoBothWaysAndAreDistinct) {
  std::set<std::string_view> names;
  for (int i = 1; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    names.insert(DTypeName(dtype));
    EXPECT_EQ(DTypeFromName(DTypeName(dtype)), dtype) << DTypeName(dtype);
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kDTypeCount) - 1);
}

TEST(DTypeTest, UnknownNamesAreRefused) {
  EXPECT_EQ(DTypeFromName(""), std::nullopt);
  EXPECT_EQ(DTypeFromName("float"), std::nullopt);
  EXPECT_EQ(DTypeFromName("FP16"), std::nullopt);
  EXPECT_EQ(DTypeFromName("invalid"), std::nullopt);
}

// The width is the number at the end of the name, but for bool, string and invalid.
TEST(DTypeTest, WidthsAgreeWithNames) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const std::string name(DTypeName(dtype));
    const size_t digits = name.find_first_of("0123456789");
    int expected = dtype == DType::kBool ? 8 : 0;
    if (digits != std::string::npos) expected = std::stoi(name.substr(digits));
    EXPECT_EQ(BitWidth(dtype), expected) << name;
    EXPECT_EQ(IsSubByte(dtype), expected > 0 && expected < 8) << name;
  }
}

TEST(DTypeTest, ClassesAgreeWithNames) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const std::string_view name = DTypeName(dtype);
    EXPECT_EQ(IsFloat(dtype), name.starts_with("fp") || name.starts_with("bf")) << name;
    EXPECT_EQ(IsSignedInt(dtype), name.starts_with("int")) << name;
    EXPECT_EQ(IsUnsignedInt(dtype), name.starts_with("uint")) << name;
    EXPECT_EQ(IsInt(dtype), IsSignedInt(dtype) || IsUnsignedInt(dtype)) << name;
  }
}

TEST(DTypeTest, ByteSizeRoundsUpToWholeBytes) {
  EXPECT_EQ(ByteSize(DType::kFp32, 3), 12u);
  EXPECT_EQ(ByteSize(DType::kFp32, 0), 0u);
  EXPECT_EQ(ByteSize(DType::kUInt1, 8), 1u);
  EXPECT_EQ(ByteSize(DType::kUInt1, 9), 2u);
  EXPECT_EQ(ByteSize(DType::kUInt3, 3), 2u);
  EXPECT_EQ(ByteSize(DType::kInt4, 5), 3u);
  EXPECT_EQ(ByteSize(DType::kUInt6, 4), 3u);
  EXPECT_EQ(ByteSize(DType::kString, 4), 0u);
}

TEST(DTypeTest, ByteSizeRefusesNegativeCountsAndOverflow) {
  EXPECT_EQ(ByteSize(DType::kFp32, -1), std::nullopt);
  EXPECT_EQ(ByteSize(DType::kFp64, std::numeric_limits<int64_t>::max()), std::nullopt);
  EXPECT_EQ(ByteSize(DType::kFp32, int64_t{1} << 40), size_t{1} << 42);
  EXPECT_NE(ByteSize(DType::kUInt1, std::numeric_limits<int64_t>::max()), std::nullopt);
}

TEST(HalfTest, EveryHalfHasTheValueOfTheDefinition) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const double expected = HalfByDefinition(bits);
    const float actual = HalfToFloat(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(actual)) << i;
    } else {
      ASSERT_EQ(static_cast<double>(actual), expected) << i;
    }
    ASSERT_EQ(std::signbit(actual), (bits & 0x8000) != 0) << i;
  }
}

TEST(HalfTest, EveryHalfRoundTrips) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const uint16_t back = FloatToHalf(HalfToFloat(bits));
    if (HalfIsNan(bits)) {
      ASSERT_TRUE(HalfIsNan(back)) << i;
      ASSERT_EQ(back & 0x8000, bits & 0x8000) << i;
    } else {
      ASSERT_EQ(back, bits) << i;
    }
  }
}

// Between each half and the next: just above it, just below the middle, the tie itself, just above
// the middle, and just below the next.
TEST(HalfTest, RoundsEveryIntervalToNearestTiesToEven) {
  for (uint32_t i = 0; i < 0x7C00; ++i) {
    const auto low_bits = static_cast<uint16_t>(i);
    const auto high_bits = static_cast<uint16_t>(i + 1);
    const auto low = static_cast<float>(HalfByDefinition(low_bits));
    // The interval above the largest half ends where 2^16 would be.
    const float high =
        high_bits == 0x7C00 ? 65536.0f : static_cast<float>(HalfByDefinition(high_bits));
    const float middle = (low + high) / 2;
    const uint16_t even = (low_bits & 1) == 0 ? low_bits : high_bits;
    ASSERT_EQ(FloatToHalf(std::nextafter(low, high)), low_bits) << i;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, low)), low_bits) << i;
    ASSERT_EQ(FloatToHalf(middle), even) << i;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, high)), high_bits) << i;
    ASSERT_EQ(FloatToHalf(std::nextafter(high, low)), high_bits) << i;
    ASSERT_EQ(FloatToHalf(-middle), even | 0x8000) << i;
  }
}

TEST(HalfTest, AgreesWithScalingOverAllFloats) {
  // Every 4099th float (a prime, so that all bit patterns below the rounding point occur).
  for (uint64_t i = 0; i < (uint64_t{1} << 32); i += 4099) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(i));
    if (std::isnan(value)) continue;
    ASSERT_EQ(FloatToHalf(value), HalfByScaling(value)) << i << " = " << value;
  }
}

TEST(HalfTest, Extremes) {
  EXPECT_EQ(FloatToHalf(65504.0f), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65519.99f), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7C00);
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::max()), 0x7C00);
  EXPECT_EQ(FloatToHalf(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_EQ(FloatToHalf(-0.0f), 0x8000);
  EXPECT_EQ(FloatToHalf(0x1p-24f), 0x0001);
  EXPECT_EQ(FloatToHalf(0x1p-25f), 0x0000);  // a tie between 0 and the smallest: 0 is even
  EXPECT_EQ(FloatToHalf(std::nextafter(0x1p-25f, 1.0f)), 0x0001);
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::denorm_min()), 0x0000);
}

TEST(HalfTest, NansStayNansWithTheirSign) {
  for (const uint32_t bits : {0x7F800001u, 0x7FC00000u, 0x7FFFFFFFu, 0xFF800001u, 0xFFC01234u}) {
    const uint16_t half = FloatToHalf(std::bit_cast<float>(bits));
    EXPECT_TRUE(HalfIsNan(half)) << bits;
    EXPECT_EQ(half & 0x8000u, (bits >> 16) & 0x8000u) << bits;
  }
}

TEST(HalfTest, TypeReadsLikeAFloat) {
  const Half third(1.0f / 3);
  EXPECT_EQ(third.bits, 0x3555);
  EXPECT_EQ(third * 3.0f, HalfToFloat(0x3555) * 3.0f);
  EXPECT_EQ(Half().bits, 0);
}

TEST(Bf16Test, EveryValueRoundTrips) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const float value = Bf16ToFloat(bits);
    ASSERT_EQ(std::bit_cast<uint32_t>(value), i << 16);
    const uint16_t back = FloatToBf16(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(Bf16ToFloat(back))) << i;
      ASSERT_EQ(back & 0x8000, bits & 0x8000) << i;
    } else {
      ASSERT_EQ(back, bits) << i;
    }
  }
}

// bf16 is the upper half of a float, so its neighbors are one apart in bits and the tie is 0x8000.
TEST(Bf16Test, RoundsEveryIntervalToNearestTiesToEven) {
  for (uint32_t i = 0; i < 0x7F80; ++i) {
    const uint32_t base = i << 16;
    const auto low = static_cast<uint16_t>(i);
    const auto high = static_cast<uint16_t>(i + 1);
    const uint16_t even = (i & 1) == 0 ? low : high;
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>(base + 0x0001)), low) << i;
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>(base + 0x7FFF)), low) << i;
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>(base + 0x8000)), even) << i;
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>(base + 0x8001)), high) << i;
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>(base + 0xFFFF)), high) << i;
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>((base + 0x8000) | 0x80000000u)), even | 0x8000) << i;
  }
}

TEST(Bf16Test, NansDoNotBecomeInfinity) {
  // The payload is entirely in the bits that are cut off.
  EXPECT_TRUE(std::isnan(Bf16ToFloat(FloatToBf16(std::bit_cast<float>(0x7F800001u)))));
  EXPECT_TRUE(std::isnan(Bf16ToFloat(FloatToBf16(std::bit_cast<float>(0xFF80FFFFu)))));
  EXPECT_TRUE(std::isinf(Bf16ToFloat(FloatToBf16(std::numeric_limits<float>::infinity()))));
}

}  // namespace
}  // namespace anemone
