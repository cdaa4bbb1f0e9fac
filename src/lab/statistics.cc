#include "lab/statistics.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "lab/latency.h"

namespace anemone::lab {
namespace {

// Uniform in [0, bound).
size_t Draw(Random& random, size_t bound) {
  // The high half of a product; the bias is below 2^-32 for the sizes here.
  return static_cast<size_t>(((random.NextBits() >> 32) * static_cast<uint64_t>(bound)) >> 32);
}

// An empirical quantile of sorted values, 0 <= share <= 1, between neighbors.
double QuantileOf(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(std::floor(at));
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

Blocks WithoutEmpty(const Blocks& blocks) {
  Blocks kept;
  for (const auto& block : blocks) {
    if (!block.empty()) kept.push_back(block);
  }
  return kept;
}

// One resample: draws as many blocks as there are, and redraws the samples in each.
int64_t ResampledPercentile(const Blocks& blocks, double percent, Random& random,
                            std::vector<int64_t>& buffer) {
  buffer.clear();
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto& block = blocks[Draw(random, blocks.size())];
    for (size_t k = 0; k < block.size(); ++k) buffer.push_back(block[Draw(random, block.size())]);
  }
  return PercentileNs(buffer, percent);
}

int64_t PercentileOfAll(const Blocks& blocks, double percent) {
  std::vector<int64_t> all;
  for (const auto& block : blocks) all.insert(all.end(), block.begin(), block.end());
  return PercentileNs(std::move(all), percent);
}

}  // namespace

std::optional<int64_t> EarlyStoppingRank(int64_t n, double percent, double confidence) {
  const double p = percent / 100;
  const double limit = 1 - confidence;
  if (n <= 0 || !(p > 0 && p < 1) || !(confidence > 0 && confidence < 1)) return std::nullopt;
  // The binomial tail P(X <= k), X ~ Binomial(n, 1 - p), summed term by term in logarithms, because
  // the first terms underflow for large n.
  const double log_odds = std::log1p(-p) - std::log(p);
  double log_term = static_cast<double>(n) * std::log(p);
  double tail = 0;
  int64_t t = -1;
  for (int64_t k = 0; k < n; ++k) {
    tail += std::exp(log_term);
    if (tail > limit) break;
    t = k;
    log_term +=
        std::log(static_cast<double>(n - k)) - std::log(static_cast<double>(k + 1)) + log_odds;
  }
  if (t < 1) return std::nullopt;
  return t;
}

int64_t EarlyStoppingMinimum(double percent, double confidence) {
  int64_t high = 1;
  while (!EarlyStoppingRank(high, percent, confidence) && high < (int64_t{1} << 40)) high *= 2;
  int64_t low = high / 2;
  while (low + 1 < high) {
    const int64_t middle = low + (high - low) / 2;
    (EarlyStoppingRank(middle, percent, confidence) ? high : low) = middle;
  }
  return high;
}

std::optional<int64_t> EarlyStoppingBoundNs(std::vector<int64_t> samples_ns, double percent,
                                            double confidence) {
  const auto n = static_cast<int64_t>(samples_ns.size());
  const auto t = EarlyStoppingRank(n, percent, confidence);
  if (!t) return std::nullopt;
  const auto at = samples_ns.begin() + static_cast<std::ptrdiff_t>(n - *t);
  std::nth_element(samples_ns.begin(), at, samples_ns.end());
  return *at;
}

std::optional<Interval> PercentileRatio(const Blocks& a, const Blocks& b, double percent,
                                        const BootstrapOptions& options) {
  const Blocks as = WithoutEmpty(a);
  const Blocks bs = WithoutEmpty(b);
  if (as.size() < 2 || bs.size() < 2) return std::nullopt;
  const int64_t under = PercentileOfAll(bs, percent);
  if (under <= 0) return std::nullopt;
  Interval interval;
  interval.value = static_cast<double>(PercentileOfAll(as, percent)) / static_cast<double>(under);
  Random random(options.seed, "bootstrap");
  std::vector<double> ratios;
  std::vector<int64_t> buffer;
  for (int i = 0; i < std::max(1, options.resamples); ++i) {
    const int64_t top = ResampledPercentile(as, percent, random, buffer);
    const int64_t bottom = ResampledPercentile(bs, percent, random, buffer);
    if (bottom > 0) ratios.push_back(static_cast<double>(top) / static_cast<double>(bottom));
  }
  if (ratios.empty()) return std::nullopt;
  std::sort(ratios.begin(), ratios.end());
  const double outside = (1 - options.confidence) / 2;
  interval.low = QuantileOf(ratios, outside);
  interval.high = QuantileOf(ratios, 1 - outside);
  return interval;
}

std::optional<Interval> RobustSlope(std::span<const Point> points) {
  constexpr size_t kLeast = 8;
  constexpr size_t kMost = 1000;
  std::vector<Point> used;
  const size_t count = std::min(points.size(), kMost);
  for (size_t i = 0; i < count; ++i) used.push_back(points[i * points.size() / count]);
  if (used.size() < kLeast) return std::nullopt;
  std::vector<double> slopes;
  for (size_t i = 0; i < used.size(); ++i) {
    for (size_t k = i + 1; k < used.size(); ++k) {
      const double run = used[k].x - used[i].x;
      if (run != 0) slopes.push_back((used[k].y - used[i].y) / run);
    }
  }
  if (slopes.empty()) return std::nullopt;
  std::sort(slopes.begin(), slopes.end());
  // Kendall's variance gives the distance of the bounds from the middle, in slopes.
  const auto n = static_cast<double>(used.size());
  const double spread = 1.959964 * std::sqrt(n * (n - 1) * (2 * n + 5) / 18);
  const auto pairs = static_cast<double>(slopes.size());
  const auto rank = [&](double at) {
    return slopes[static_cast<size_t>(std::clamp(at, 0.0, pairs - 1))];
  };
  return Interval{QuantileOf(slopes, 0.5), rank(std::floor((pairs - spread) / 2)),
                  rank(std::ceil((pairs + spread) / 2))};
}

}  // namespace anemone::lab
