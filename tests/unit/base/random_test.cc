#include "base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace anemone {
namespace {

TEST(Random, IsTheSameEverywhere) {
  // The first values of SplitMix64 from seed 1234567, from the published reference implementation.
  Random random(1234567);
  EXPECT_EQ(random.NextBits(), 6457827717110365317ull);
  EXPECT_EQ(random.NextBits(), 3203168211198807973ull);
  EXPECT_EQ(random.NextBits(), 9817491932198370423ull);
}

TEST(Random, StreamsDiffer) {
  EXPECT_NE(Random(7, "conv1.weight").NextBits(), Random(7, "conv2.weight").NextBits());
  EXPECT_NE(Random(7, "conv1.weight").NextBits(), Random(8, "conv1.weight").NextBits());
  EXPECT_EQ(Random(7, "conv1.weight").NextBits(), Random(7, "conv1.weight").NextBits());
}

TEST(Random, NormalHasUnitMoments) {
  std::vector<float> values(200000);
  Random(3).FillNormal(values, 0, 1);
  double mean = 0, square = 0, fourth = 0;
  for (const float v : values) {
    mean += v;
    square += double{v} * v;
    fourth += std::pow(double{v}, 4);
  }
  const double n = static_cast<double>(values.size());
  EXPECT_NEAR(mean / n, 0, 0.01);
  EXPECT_NEAR(square / n, 1, 0.01);
  EXPECT_NEAR(fourth / n, 2.9, 0.1);  // Irwin-Hall of 12: kurtosis 3 - 6/(5*12)
}

TEST(Random, UniformStaysInside) {
  std::vector<float> values(10000);
  Random(9).FillUniform(values, -2, 3);
  for (const float v : values) {
    EXPECT_GE(v, -2);
    EXPECT_LT(v, 3);
  }
}

}  // namespace
}  // namespace anemone
