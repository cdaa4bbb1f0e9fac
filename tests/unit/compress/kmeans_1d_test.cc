#include "compress/kmeans_1d.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"

namespace anemone::compress {
namespace {

double CostOf(const std::vector<float>& sorted, size_t begin, size_t end) {
  const double mean = std::accumulate(sorted.begin() + static_cast<std::ptrdiff_t>(begin),
                                      sorted.begin() + static_cast<std::ptrdiff_t>(end), 0.0) /
                      static_cast<double>(end - begin);
  double cost = 0;
  for (size_t i = begin; i < end; ++i) cost += (sorted[i] - mean) * (sorted[i] - mean);
  return cost;
}

// The smallest cost of every way to cut the sorted values into at most k intervals.
double BruteForce(const std::vector<float>& sorted, size_t begin, int k) {
  if (begin == sorted.size()) return 0;
  if (k == 1) return CostOf(sorted, begin, sorted.size());
  double best = std::numeric_limits<double>::infinity();
  for (size_t end = begin + 1; end <= sorted.size(); ++end) {
    best = std::min(best, CostOf(sorted, begin, end) + BruteForce(sorted, end, k - 1));
  }
  return best;
}

TEST(KMeans1D, IsTheBestOfAllWays) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    std::vector<float> values(5 + seed % 9);
    random.FillNormal(values, 0.0f, 1.0f);
    if (seed % 3 == 0) {
      for (float& value : values) value = std::round(value * 2);  // with repeated values
    }
    std::vector<float> sorted = values;
    std::ranges::sort(sorted);
    for (int k = 1; k <= 5; ++k) {
      const Clusters got = KMeans1D(values, k);
      EXPECT_NEAR(got.squares, BruteForce(sorted, 0, k), 1e-6) << "seed " << seed << " k " << k;
      EXPECT_TRUE(std::ranges::is_sorted(got.centers));
      ASSERT_EQ(got.indices.size(), values.size());
      for (size_t i = 0; i < values.size(); ++i) {
        for (const float center : got.centers) {
          EXPECT_LE(std::abs(values[i] - got.centers[got.indices[i]]),
                    std::abs(values[i] - center) + 1e-6f);
        }
      }
    }
  }
}

TEST(KMeans1D, FewDifferentValuesAreKept) {
  const std::vector<float> values = {3, -1, 3, 0, 0, -1, 7};
  const Clusters got = KMeans1D(values, 16);
  EXPECT_EQ(got.centers, (std::vector<float>{-1, 0, 3, 7}));
  EXPECT_EQ(got.squares, 0);
  EXPECT_EQ(KMeans1D(std::vector<float>(5, 2.5f), 4).centers, (std::vector<float>{2.5f}));
  EXPECT_TRUE(KMeans1D(std::vector<float>(), 4).centers.empty());
}

TEST(KMeans1D, FarFromZeroLosesNothing) {
  std::vector<float> values;
  for (int i = 0; i < 400; ++i)
    values.push_back(10000.0f + static_cast<float>(i % 4) + (i % 8 < 4 ? 0.0f : 0.125f));
  const Clusters got = KMeans1D(values, 4);
  ASSERT_EQ(got.centers.size(), 4u);
  for (int c = 0; c < 4; ++c)
    EXPECT_FLOAT_EQ(got.centers[static_cast<size_t>(c)], 10000.0625f + static_cast<float>(c));
}

TEST(KMeans1D, ManyDifferentValues) {
  std::vector<float> values(200'000);
  Random(3).FillUniform(values, 0.0f, 1.0f);
  const Clusters got = KMeans1D(values, 16);
  ASSERT_EQ(got.centers.size(), 16u);
  // 16 equal parts of a uniform distribution: (1 / 16)^2 / 12.
  EXPECT_NEAR(got.squares / 200'000, 1.0 / 256 / 12, 3e-6);
  for (size_t c = 0; c < 16; ++c) {
    EXPECT_NEAR(got.centers[c], (static_cast<float>(c) + 0.5f) / 16, 0.005);
  }
}

// The best cost of k intervals by plain dynamic programming over weighted points.
double BestCost(const WeightedPoints& points, size_t k) {
  const size_t n = points.value.size();
  std::vector<double> w(n + 1), s(n + 1), q(n + 1);
  for (size_t i = 0; i < n; ++i) {
    w[i + 1] = w[i] + points.weight[i];
    s[i + 1] = s[i] + points.weight[i] * points.value[i];
    q[i + 1] = q[i] + points.weight[i] * points.value[i] * points.value[i];
  }
  const auto cost = [&](size_t a, size_t b) {
    return q[b] - q[a] - (s[b] - s[a]) * (s[b] - s[a]) / (w[b] - w[a]);
  };
  std::vector<double> best(n + 1, std::numeric_limits<double>::infinity());
  best[0] = 0;
  for (size_t row = 0; row < k; ++row) {
    std::vector<double> next(n + 1, std::numeric_limits<double>::infinity());
    for (size_t end = 1; end <= n; ++end)
      for (size_t begin = 0; begin < end; ++begin)
        next[end] = std::min(next[end], best[begin] + cost(begin, end));
    best = next;
  }
  return best[n];
}

double CostOfSplit(const WeightedPoints& points, const std::vector<uint32_t>& starts) {
  double total = 0;
  for (size_t c = 0; c < starts.size(); ++c) {
    const size_t end = c + 1 < starts.size() ? starts[c + 1] : points.value.size();
    double weight = 0, mean = 0;
    for (size_t i = starts[c]; i < end; ++i) {
      weight += points.weight[i];
      mean += points.weight[i] * points.value[i];
    }
    mean /= weight;
    for (size_t i = starts[c]; i < end; ++i)
      total += points.weight[i] * (points.value[i] - mean) * (points.value[i] - mean);
  }
  return total;
}

// Random, evenly spaced (all counts of clusters in between cost the same), clumped, one outlier.
TEST(SplitIntoClusters, IsOptimalForEveryCountAndShape) {
  for (int shape = 0; shape < 5; ++shape) {
    WeightedPoints points;
    Random random(static_cast<uint64_t>(shape));
    for (int i = 0; i < 90; ++i) {
      double value = i;
      if (shape == 0) value += random.Uniform() * 0.9;
      const int clump = i / 10;
      if (shape == 2) value = clump * 100 + i % 10 * 0.001;
      if (shape == 3 && i == 89) value = 1e6;
      points.value.push_back(value);
      points.weight.push_back(shape == 4 ? 1 + i % 7 : 1);
    }
    for (int k = 1; k <= 90; ++k) {
      SCOPED_TRACE("shape " + std::to_string(shape) + " k " + std::to_string(k));
      const std::vector<uint32_t> starts = SplitIntoClusters(points, k);
      ASSERT_EQ(starts.size(), static_cast<size_t>(k));
      EXPECT_EQ(starts[0], 0u);
      EXPECT_TRUE(std::ranges::is_sorted(starts));
      const double best = BestCost(points, static_cast<size_t>(k));
      EXPECT_NEAR(CostOfSplit(points, starts), best, 1e-9 * CostOfSplit(points, {0}) + 1e-9);
    }
  }
}

// Large enough for the coarse search that comes first.
TEST(SplitIntoClusters, IsOptimalBehindTheCoarseSearch) {
  WeightedPoints points;
  Random random(5);
  double value = 0;
  for (int i = 0; i < 2500; ++i) {
    value += 0.01 + random.Uniform() * random.Uniform();
    points.value.push_back(value);
    points.weight.push_back(1 + static_cast<double>(random.NextBits() % 5));
  }
  for (const int k : {2, 3, 8, 16, 63}) {
    const double best = BestCost(points, static_cast<size_t>(k));
    EXPECT_NEAR(CostOfSplit(points, SplitIntoClusters(points, k)) / best, 1, 1e-9) << k;
  }
}

TEST(KMeans1D, HalvesAndFloatsAgreeAndImportanceCounts) {
  std::vector<float> values(20'000);
  Random(11).FillNormal(values, 0.01f, 0.05f);
  values[7] = -0.0f;
  values[8] = 0.0f;
  std::vector<Half> halves(values.size());
  FloatToHalf(values, halves);
  HalfToFloat(halves, values);
  for (const int k : {2, 16, 64, 256}) {
    const Clusters a = KMeans1D(std::span<const Half>(halves), k);
    const Clusters b = KMeans1D(values, k, DType::kFp16);
    EXPECT_EQ(a.centers, b.centers);
    EXPECT_EQ(a.indices, b.indices);
    EXPECT_NEAR(a.squares, b.squares, 1e-9 * b.squares);
    for (const float center : a.centers) EXPECT_EQ(center, HalfToFloat(FloatToHalf(center)));
  }
  // Only the positive values count: the centers are theirs.
  std::vector<float> importance(values.size());
  for (size_t i = 0; i < values.size(); ++i) importance[i] = values[i] > 0.02f ? 2.5f : 0.0f;
  for (const Clusters& got : {KMeans1D(std::span<const Half>(halves), 4, importance),
                              KMeans1D(values, 4, DType::kFp16, importance)}) {
    ASSERT_EQ(got.centers.size(), 4u);
    EXPECT_GT(got.centers[0], 0.02f);
    EXPECT_EQ(got.indices.size(), values.size());
  }
}

}  // namespace
}  // namespace anemone::compress
