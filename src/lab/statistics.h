// Statistics of measured runs on which a verdict may rest: a percentile with the confidence that
// its number of samples gives, an interval on the ratio of two percentiles, and the slope of a
// level (memory), robust to outliers.
//
// Durations are integer nanoseconds. Everything is deterministic: resampling is seeded. Thread
// rules: pure functions.
//
// Sources: early stopping of MLPerf LoadGen (mlcommons/inference, loadgen/early_stopping.cc); block
// bootstrap (Kuensch 1989), percentile interval (Efron 1979); Theil 1950, Sen 1968 for the slope.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace anemone::lab {

inline constexpr double kEarlyStoppingConfidence = 0.99;

// LoadGen's test: the largest t such that t or fewer of n samples above the true percentile would
// be seen with a probability of at most 1 - confidence. The t-th largest sample (t - 1 are
// discarded) is then an upper bound of the percentile with that confidence. Nullopt when n is too
// small (64 samples are needed for p90, 662 for p99). 0 < percent < 100.
std::optional<int64_t> EarlyStoppingRank(int64_t n, double percent,
                                         double confidence = kEarlyStoppingConfidence);
// The smallest n that has a rank.
int64_t EarlyStoppingMinimum(double percent, double confidence = kEarlyStoppingConfidence);
// That upper bound: sorted[n - t]. `samples_ns` need not be sorted.
std::optional<int64_t> EarlyStoppingBoundNs(std::vector<int64_t> samples_ns, double percent,
                                            double confidence = kEarlyStoppingConfidence);

struct Interval {
  double value = 0;
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  int resamples = 2000;
  double confidence = 0.95;
  uint64_t seed = 1;
};
using Blocks =
    std::vector<std::vector<int64_t>>;  // each holds the samples of one uninterrupted run

// percentile(a) / percentile(b) of all samples, with a percentile-bootstrap interval. Whole blocks
// are drawn, and samples inside them, so that drifts between blocks widen the interval. Nullopt
// when a side has fewer than 2 non-empty blocks, or its percentile is 0.
std::optional<Interval> PercentileRatio(const Blocks& a, const Blocks& b, double percent,
                                        const BootstrapOptions& options = {});

struct Point {
  double x = 0;
  double y = 0;
};
// The median of the slopes between all pairs, with Sen's 95 % interval. Nullopt for fewer than 8
// points, or when x does not vary. At most 1,000 points are used, evenly spread.
std::optional<Interval> RobustSlope(std::span<const Point> points);

}  // namespace anemone::lab
