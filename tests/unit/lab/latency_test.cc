#include "lab/latency.h"

#include <gtest/gtest.h>

#include <numeric>

namespace anemone::lab {
namespace {

TEST(Latency, PercentilesByNearestRank) {
  std::vector<int64_t> samples(100);
  std::iota(samples.rbegin(), samples.rend(), 1);  // 100 ... 1
  EXPECT_EQ(PercentileNs(samples, 50), 50);
  EXPECT_EQ(PercentileNs(samples, 90), 90);
  EXPECT_EQ(PercentileNs(samples, 99), 99);
  EXPECT_EQ(PercentileNs(samples, 99.5), 100);
  EXPECT_EQ(PercentileNs(samples, 100), 100);
  EXPECT_EQ(PercentileNs(samples, 1e-9), 1);
  EXPECT_EQ(PercentileNs({7}, 99), 7);
}

TEST(Latency, Mean) { EXPECT_DOUBLE_EQ(MeanNs({1, 2, 6}), 3); }

}  // namespace
}  // namespace anemone::lab
