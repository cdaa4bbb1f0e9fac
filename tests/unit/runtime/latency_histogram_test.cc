#include "runtime/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace anemone::runtime {
namespace {

constexpr double kPercentiles[] = {0.0,  0.1,  1.0,  5.0,  10.0, 25.0,  50.0,
                                   75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0};

// The nearest-rank percentile of sorted values, by the definition, in integers.
int64_t Exact(const std::vector<int64_t>& sorted, double percentile) {
  const auto millionths = static_cast<uint64_t>(std::llround(percentile * 10'000));
  const uint64_t rank = (sorted.size() * millionths + 999'999) / 1'000'000;
  return sorted[std::max<uint64_t>(rank, 1) - 1];
}

void ExpectWithin1Percent(const LatencyHistogram& histogram, std::vector<int64_t> values,
                          const std::string& name) {
  std::sort(values.begin(), values.end());
  ASSERT_EQ(histogram.count(), values.size()) << name;
  for (const double percentile : kPercentiles) {
    const int64_t exact = Exact(values, percentile);
    const int64_t estimate = histogram.Percentile(percentile);
    EXPECT_LE(std::abs(static_cast<double>(estimate - exact)), 0.01 * static_cast<double>(exact))
        << name << " p" << percentile << ": " << estimate << " for " << exact;
  }
  EXPECT_EQ(histogram.min_ns(), values.front()) << name;
  EXPECT_EQ(histogram.max_ns(), values.back()) << name;
}

struct Distribution {
  std::string name;
  std::function<double(std::mt19937_64&)> draw;
};

std::vector<Distribution> Distributions() {
  using Engine = std::mt19937_64;
  const auto uniform = [](double low, double high) {
    return [=](Engine& e) { return std::uniform_real_distribution<double>(low, high)(e); };
  };
  return {{"constant", [](Engine&) { return 1'234'567.0; }},
          {"zero", [](Engine&) { return 0.0; }},
          {"tiny", uniform(0, 130)},
          {"edge of a power", uniform(65'530, 65'545)},
          {"uniform", uniform(0, 1e9)},
          {"log uniform over all", [=](Engine& e) { return std::exp(uniform(0, 32.5)(e)); }},
          {"normal", [](Engine& e) { return std::normal_distribution<double>(2e6, 1e5)(e); }},
          {"lognormal", [](Engine& e) { return std::lognormal_distribution<double>(14, 1.5)(e); }},
          {"exponential", [](Engine& e) { return std::exponential_distribution<double>(1e-6)(e); }},
          {"pareto", [=](Engine& e) { return 1e5 / std::pow(uniform(1e-7, 1)(e), 0.8); }},
          {"two modes",
           [=](Engine& e) { return uniform(0, 1)(e) < 0.97 ? uniform(1e6, 1.1e6)(e) : 5e9; }},
          {"heat steps",
           [=](Engine& e) { return std::floor(uniform(1, 6)(e)) * 7e5 + uniform(0, 100)(e); }},
          {"gamma", [](Engine& e) { return std::gamma_distribution<double>(0.3, 1e7)(e); }},
          {"weibull", [](Engine& e) { return std::weibull_distribution<double>(0.5, 1e6)(e); }},
          {"cauchy tail", [](Engine& e) {
             return std::min(1e13, std::abs(std::cauchy_distribution<double>(3e6, 1e5)(e)));
           }}};
}

TEST(LatencyHistogramTest, PercentilesAreWithin1PercentOfExact) {
  for (const Distribution& distribution : Distributions()) {
    for (const size_t size : {size_t{1}, size_t{2}, size_t{3}, size_t{10}, size_t{99}, size_t{100},
                              size_t{1000}, size_t{20'000}}) {
      std::mt19937_64 engine(size * 7919);
      LatencyHistogram histogram;
      std::vector<int64_t> values;
      for (size_t i = 0; i < size; ++i) {
        values.push_back(static_cast<int64_t>(std::max(0.0, distribution.draw(engine))));
        histogram.Record(values.back());
      }
      ExpectWithin1Percent(histogram, values, distribution.name + " of " + std::to_string(size));
    }
  }
}

TEST(LatencyHistogramTest, EveryBucketHoldsItsMiddleAndIsNarrow) {
  int64_t last = -1;
  for (size_t bucket = 0; bucket < latency::kBuckets; ++bucket) {
    const int64_t middle = latency::ValueOf(bucket);
    ASSERT_GT(middle, last);
    ASSERT_EQ(latency::BucketOf(middle), bucket);
    last = middle;
  }
  // At each border: neighbors differ by at most one bucket, and the middle is near.
  std::mt19937_64 engine(3);
  for (int i = 0; i < 200'000; ++i) {
    const auto value = static_cast<int64_t>(engine() >> (17 + engine() % 47));
    const size_t bucket = latency::BucketOf(value);
    ASSERT_LE(latency::BucketOf(value + 1) - bucket, 1u) << value;
    ASSERT_LE(std::abs(latency::ValueOf(bucket) - value) * 256, std::max<int64_t>(value, 1))
        << value;
  }
}

TEST(LatencyHistogramTest, EndsOfTheRange) {
  EXPECT_EQ(latency::BucketOf(-5), 0u);
  EXPECT_EQ(latency::BucketOf(INT64_MIN), 0u);
  EXPECT_EQ(latency::BucketOf(INT64_MAX), latency::kBuckets - 1);
  EXPECT_EQ(latency::BucketOf((int64_t{1} << 47) - 1), latency::kBuckets - 1);
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.Percentile(50), 0);
  EXPECT_EQ(histogram.mean_ns(), 0.0);
  histogram.Record(-7);
  EXPECT_EQ(histogram.min_ns(), 0);
  histogram.Record(int64_t{1} << 55);
  EXPECT_EQ(histogram.max_ns(), int64_t{1} << 55);
  EXPECT_EQ(histogram.Percentile(100), int64_t{1} << 55);
  EXPECT_EQ(histogram.Percentile(std::nan("")), int64_t{1} << 55);
  EXPECT_EQ(histogram.Percentile(-3), 0);
}

TEST(LatencyHistogramTest, RanksAreNotRoundedUpByFloatingPoint) {
  LatencyHistogram histogram;
  for (int64_t i = 1; i <= 100; ++i) histogram.Record(i);
  EXPECT_EQ(histogram.Percentile(99), 99);
  EXPECT_EQ(histogram.Percentile(29), 29);  // 0.29 * 100 is 28.999999999999996
  EXPECT_EQ(histogram.Percentile(57), 57);
  EXPECT_EQ(histogram.Percentile(99.1), 100);
  EXPECT_EQ(histogram.CountAtOrBelow(50), 50u);
}

TEST(LatencyHistogramTest, MergeEqualsRecordingAll) {
  std::mt19937_64 engine(11);
  LatencyHistogram all;
  LatencyHistogram parts[3];
  for (int i = 0; i < 30'000; ++i) {
    const auto value = static_cast<int64_t>(engine() >> 30);
    all.Record(value);
    parts[engine() % 3].Record(value);
  }
  LatencyHistogram merged;
  for (const LatencyHistogram& part : parts) merged.Merge(part);
  merged.Merge(LatencyHistogram());
  EXPECT_EQ(merged, all);
  LatencyHistogram many;
  many.RecordMany(500, 3);
  many.RecordMany(9, 0);
  EXPECT_EQ(many.count(), 3u);
  EXPECT_EQ(many.sum_ns(), 1500);
}

TEST(LatencyHistogramTest, AtomicDrainsTheSameAndStartsAnew) {
  std::mt19937_64 engine(5);
  auto atomic = std::make_unique<AtomicLatencyHistogram>();
  LatencyHistogram expected;
  LatencyHistogram drained;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1000; ++i) {
      const auto value = static_cast<int64_t>(engine() >> (20 + 10 * round));
      expected.Record(value);
      atomic->Record(value);
    }
    atomic->DrainInto(drained);
    EXPECT_EQ(drained, expected);
  }
  atomic->DrainInto(drained);
  EXPECT_EQ(drained, expected);
}

}  // namespace
}  // namespace anemone::runtime
