// Early stopping against LoadGen's published figures, the bootstrap's coverage, the robust slope.
#include "lab/statistics.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/random.h"
#include "lab/latency.h"

namespace anemone::lab {
namespace {

// t for n samples; LoadGen's own table, and the log of mlcommons/mobile_app_open#798 (n = 745).
TEST(EarlyStopping, ReproducesLoadGensTable) {
  struct Row {
    int64_t n;
    std::optional<int64_t> p90;
    std::optional<int64_t> p99;
  };
  const Row rows[] = {
      {63, std::nullopt, std::nullopt},
      {64, 1, std::nullopt},
      {661, 48, std::nullopt},
      {662, 48, 1},
      {1000, 78, 2},
      {5000, 450, 33},
      {10000, 930, 77},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(EarlyStoppingRank(row.n, 90), row.p90) << row.n;
    EXPECT_EQ(EarlyStoppingRank(row.n, 99), row.p99) << row.n;
  }
  EXPECT_EQ(EarlyStoppingRank(745, 90), 55);  // "discard 54": the 55th worst is the estimate
  EXPECT_EQ(EarlyStoppingMinimum(90), 64);
  EXPECT_EQ(EarlyStoppingMinimum(99), 662);
}

TEST(EarlyStopping, TheBoundIsTheRightSample) {
  std::vector<int64_t> samples(1000);
  std::iota(samples.rbegin(), samples.rend(), 1);     // 1000 ... 1
  EXPECT_EQ(EarlyStoppingBoundNs(samples, 99), 999);  // the second worst
  EXPECT_EQ(EarlyStoppingBoundNs(samples, 90), 923);
  samples.resize(64);
  EXPECT_EQ(EarlyStoppingBoundNs(samples, 90), 1000);  // the worst
  EXPECT_EQ(EarlyStoppingBoundNs(samples, 99), std::nullopt);
  EXPECT_EQ(EarlyStoppingBoundNs({}, 90), std::nullopt);
}

TEST(EarlyStopping, LargeCountsNeitherUnderflowNorStop) {
  // A bound on t once made LoadGen's answer wrong beyond 1,024 (mlcommons/inference#1083).
  const auto t = EarlyStoppingRank(270336, 99);
  ASSERT_TRUE(t.has_value());
  EXPECT_GT(*t, 2400);
  EXPECT_LT(*t, 2704);  // the expectation
  EXPECT_GT(*EarlyStoppingRank(1'000'000, 50), 498'000);
  EXPECT_EQ(EarlyStoppingRank(100, 0), std::nullopt);
  EXPECT_EQ(EarlyStoppingRank(100, 100), std::nullopt);
  EXPECT_EQ(EarlyStoppingRank(100, 90, 1), std::nullopt);
}

// The bound holds in at least the promised share of runs, and not always by far.
TEST(EarlyStopping, HoldsAsOftenAsPromised) {
  Random random(7);
  int held = 0;
  constexpr int kRuns = 2000;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<int64_t> samples;
    for (int i = 0; i < 500; ++i) samples.push_back(static_cast<int64_t>(random.Uniform() * 1e6f));
    held += *EarlyStoppingBoundNs(std::move(samples), 90) >= 900'000 ? 1 : 0;
  }
  EXPECT_GE(held, kRuns * 98 / 100);
}

Blocks Make(Random& random, int blocks, int size, double middle, double spread) {
  Blocks made;
  for (int b = 0; b < blocks; ++b) {
    auto& block = made.emplace_back();
    for (int i = 0; i < size; ++i) {
      block.push_back(static_cast<int64_t>(middle + spread * static_cast<double>(random.Normal())));
    }
  }
  return made;
}

TEST(PercentileRatio, IsSeededAndHoldsTheTruth) {
  Random random(3);
  const Blocks a = Make(random, 40, 25, 5e6, 1e5);
  const Blocks b = Make(random, 40, 25, 1e7, 2e5);
  const auto once = PercentileRatio(a, b, 99);
  const auto again = PercentileRatio(a, b, 99);
  ASSERT_TRUE(once.has_value());
  EXPECT_EQ(once->low, again->low);
  EXPECT_EQ(once->high, again->high);
  EXPECT_LT(once->low, 0.5);
  EXPECT_GT(once->high, 0.5);
  EXPECT_NEAR(once->value, 0.5, 0.01);
  EXPECT_LT(once->high - once->low, 0.05);
}

TEST(PercentileRatio, DriftBetweenBlocksWidensTheInterval) {
  Random random(4);
  Blocks calm = Make(random, 20, 50, 1e7, 1e5);
  const Blocks base = Make(random, 20, 50, 1e7, 1e5);
  Blocks drifting = calm;
  for (size_t b = 0; b < drifting.size(); b += 5) {
    for (int64_t& sample : drifting[b]) sample = sample * 3 / 2;
  }
  const auto narrow = PercentileRatio(calm, base, 50);
  const auto wide = PercentileRatio(drifting, base, 80);
  ASSERT_TRUE(narrow && wide);
  EXPECT_GT(wide->high - wide->low, 5 * (narrow->high - narrow->low));
}

TEST(PercentileRatio, NeedsTwoBlocksOnEachSide) {
  EXPECT_FALSE(PercentileRatio({{1, 2}}, {{1}, {2}}, 50).has_value());
  EXPECT_FALSE(PercentileRatio({{1}, {2}}, {{1, 2}, {}}, 50).has_value());
  EXPECT_FALSE(PercentileRatio({{1}, {2}}, {{0}, {0}}, 50).has_value());
  EXPECT_FALSE(PercentileRatio({}, {}, 50).has_value());
}

TEST(RobustSlope, IgnoresOutliersAndBoundsTheTruth) {
  std::vector<Point> points;
  Random random(5);
  for (int i = 0; i < 100; ++i) {
    points.push_back({i * 10.0, 1e6 + i * 10.0 * 64 + 50.0 * static_cast<double>(random.Normal())});
  }
  points[50].y += 1e9;  // one neighbor's page cache
  const auto slope = RobustSlope(points);
  ASSERT_TRUE(slope.has_value());
  EXPECT_NEAR(slope->value, 64, 1);
  EXPECT_LE(slope->low, 64);
  EXPECT_GE(slope->high, 64);

  for (Point& point : points) point.y = 4096;
  const auto flat = RobustSlope(points);
  EXPECT_EQ(flat->value, 0);
  EXPECT_EQ(flat->high, 0);
}

TEST(RobustSlope, NeedsEnoughPointsThatDiffer) {
  std::vector<Point> points(7, Point{1, 1});
  EXPECT_FALSE(RobustSlope(points).has_value());
  points.resize(9, Point{1, 1});
  EXPECT_FALSE(RobustSlope(points).has_value());
  std::vector<Point> many;
  for (int i = 0; i < 5000; ++i) many.push_back({double(i), 2.0 * i});
  EXPECT_DOUBLE_EQ(RobustSlope(many)->value, 2);
}

}  // namespace
}  // namespace anemone::lab
