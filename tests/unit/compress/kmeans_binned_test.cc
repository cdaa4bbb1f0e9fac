// Binned k-means against the exact one over all values, sorted.
#include "compress/kmeans_binned.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace anemone::compress {
namespace {

struct Case {
  std::string name;
  std::vector<float> values;
};

std::vector<float> Normal(size_t n, float mean, float deviation, uint64_t seed) {
  std::vector<float> values(n);
  Random(seed).FillNormal(values, mean, deviation);
  return values;
}

std::vector<Case> Cases() {
  constexpr size_t kCount = 60'000;
  std::vector<Case> cases{{"normal", Normal(kCount, 0, 0.05f, 1)}};
  cases.push_back({"uniform", std::vector<float>(kCount)});
  Random(2).FillUniform(cases.back().values, -3.0f, 5.0f);
  cases.push_back({"heavy tails", Normal(kCount, 0, 1, 3)});
  for (float& value : cases.back().values) value = value * value * value;
  cases.push_back({"outliers", Normal(kCount, 0, 0.01f, 4)});
  for (size_t i = 0; i < 5; ++i) cases.back().values[i * 1000] = i % 2 == 0 ? 2.5f : -1.5f;
  cases.push_back({"two heaps", Normal(kCount, -1, 0.1f, 5)});
  for (size_t i = 0; i < kCount; i += 2) cases.back().values[i] += 3;
  cases.push_back({"huge", Normal(kCount, 0, 1, 6)});
  for (float& value : cases.back().values)
    value = std::clamp(value, -3.0f, 3.0f) * (std::numeric_limits<float>::max() / 4);
  cases.push_back({"tiny", Normal(kCount, 0, 1e-38f, 7)});
  cases.push_back({"all positive", Normal(kCount, 0, 1, 8)});
  for (float& value : cases.back().values) value = std::abs(value);
  return cases;
}

// The loss of what was found, in units of scale^2.
double SquaresOf(std::span<const float> values, const Clusters& clusters, double scale) {
  double squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double distance = (double{values[i]} - clusters.centers[clusters.indices[i]]) / scale;
    squares += distance * distance;
  }
  return squares;
}

// The loss of the best k clusters.
double BestSquares(std::vector<float> values, int k, double scale) {
  std::ranges::sort(values);
  WeightedPoints points;
  for (const float value : values) {
    const double point = value / scale;
    if (!points.value.empty() && points.value.back() == point) {
      ++points.weight.back();
      continue;
    }
    points.value.push_back(point);
    points.weight.push_back(1);
  }
  std::vector<uint32_t> starts = SplitIntoClusters(points, k);
  starts.push_back(static_cast<uint32_t>(points.value.size()));
  double squares = 0;
  for (size_t c = 0; c + 1 < starts.size(); ++c) {
    double weight = 0;
    double sum = 0;
    for (size_t i = starts[c]; i < starts[c + 1]; ++i) {
      weight += points.weight[i];
      sum += points.weight[i] * points.value[i];
    }
    for (size_t i = starts[c]; i < starts[c + 1]; ++i) {
      const double distance = points.value[i] - sum / weight;
      squares += points.weight[i] * distance * distance;
    }
  }
  return squares;
}

// With many clusters for few values, single values decide: there the limits are wider.
TEST(KMeansBinned, LosesWhatTheBestClustersLose) {
  const std::pair<int, double> limits[] = {
      {2, 1e-8}, {4, 1e-6}, {16, 1e-5}, {64, 2e-4}, {256, 1e-3}};
  size_t compared = 0;
  for (const Case& each : Cases()) {
    double scale = 0;
    for (const float value : each.values) scale = std::max(scale, std::abs(double{value}));
    for (const auto& [k, limit] : limits) {
      SCOPED_TRACE(each.name + ", " + std::to_string(k) + " clusters");
      const auto got = KMeansBinned(each.values, k);
      if (!got) continue;
      ++compared;
      ASSERT_EQ(got->centers.size(), static_cast<size_t>(k));
      const double best = BestSquares(each.values, k, scale);
      const double found = SquaresOf(each.values, *got, scale);
      EXPECT_GE(found, best * (1 - 1e-9));
      EXPECT_LE(found, best * (1 + limit));
    }
  }
  EXPECT_GE(compared,
            Cases().size() * std::size(limits) - 1);  // two heaps in 256 take the other path
}

// Every value has the nearest center, the lower one in the middle; the sums are right.
TEST(KMeansBinned, EveryValueGoesToTheNearest) {
  for (const Case& each : Cases()) {
    if (each.name == "huge" || each.name == "tiny") continue;  // squares leave float's range
    for (const int k : {3, 16, 200}) {
      SCOPED_TRACE(each.name + ", " + std::to_string(k) + " clusters");
      const auto got = KMeansBinned(each.values, k);
      if (!got) continue;
      EXPECT_TRUE(std::ranges::is_sorted(got->centers));
      ASSERT_EQ(got->indices.size(), each.values.size());
      double largest = 0;
      for (size_t i = 0; i < each.values.size(); ++i) {
        const double value = each.values[i];
        const size_t index = got->indices[i];
        const auto middle = [&](size_t c) {
          return (double{got->centers[c]} + got->centers[c + 1]) / 2;
        };
        ASSERT_TRUE(index == 0 || value > middle(index - 1)) << i;
        ASSERT_TRUE(index + 1 == got->centers.size() || value <= middle(index)) << i;
        largest = std::max(largest, std::abs(value - got->centers[index]));
      }
      EXPECT_NEAR(got->largest, largest, 1e-6 * largest);
      const double squares = SquaresOf(each.values, *got, 1);
      EXPECT_NEAR(got->squares, squares, 1e-5 * squares);
    }
  }
}

// Few different values, and values all close to one: detected, and then solved by sorting.
TEST(KMeansBinned, TooFewBinsAreSaid) {
  std::vector<float> few(50'000);
  for (size_t i = 0; i < few.size(); ++i) few[i] = 1.0f + static_cast<float>(i % 100) * 1e-6f;
  EXPECT_FALSE(KMeansBinned(few, 128).has_value());
  const Clusters exact = KMeans1D(few, 128);
  EXPECT_EQ(exact.squares, 0);
  EXPECT_EQ(exact.largest, 0);
  EXPECT_FALSE(KMeansBinned(std::vector<float>(10'000, 0.0f), 2).has_value());
  EXPECT_FALSE(KMeansBinned(Normal(20'000, 100, 0.01f, 9), 256).has_value());
}

}  // namespace
}  // namespace anemone::compress
