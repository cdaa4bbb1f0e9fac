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

}  // namespace
}  // namespace anemone::compress
