#include "compress/observer.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace anemone::compress {
namespace {

constexpr size_t kBins = 8192;
constexpr size_t kHalfOfBins = kBins / 2;  // of them below zero
constexpr double kMostClipped = 0.001;     // share of the values, kEntropy
constexpr int kCandidates = 128;           // ranges that kMse and kEntropy try

struct Bin {
  double center;
  double count;
};

// Mean square of the loss by `levels` steps from low to high.
double SquaredLoss(const std::vector<Bin>& bins, ActivationRange range, int levels, double width) {
  const double step = (range.high - range.low) / (levels - 1);
  if (!(step > 0)) return std::numeric_limits<double>::infinity();
  double loss = 0;
  for (const Bin& bin : bins) {
    const double at = std::clamp(bin.center, range.low, range.high);
    const double rounded = range.low + std::nearbyint((at - range.low) / step) * step;
    double difference = bin.center - rounded;
    loss += bin.count * difference * difference;
  }
  // Steps finer than a bin: the loss of an even spread within it.
  if (step < width) {
    for (const Bin& bin : bins) loss += bin.count * step * step / 12;
  }
  return loss;
}

// Kullback-Leibler divergence of the values (clipped into the range) from their form with
// `levels` steps.
double Divergence(const std::vector<Bin>& bins, ActivationRange range, int levels, double width) {
  const double step = (range.high - range.low) / levels;
  if (!(step > 0)) return std::numeric_limits<double>::infinity();
  // Clipped values count in the outermost bins of the reference, but in none of the levels.
  std::vector<double> level_sum(static_cast<size_t>(levels), 0);
  std::vector<double> level_bins(static_cast<size_t>(levels), 0);
  std::vector<double> reference;
  std::vector<size_t> level_of;
  double below = 0;
  double above = 0;
  double total = 0;
  for (const Bin& bin : bins) {
    total += bin.count;
    if (bin.center < range.low) {
      below += bin.count;
    } else if (bin.center > range.high) {
      above += bin.count;
    } else {
      const auto level = std::min<size_t>(static_cast<size_t>((bin.center - range.low) / step),
                                          static_cast<size_t>(levels) - 1);
      level_sum[level] += bin.count;
      level_bins[level] += 1;
      reference.push_back(bin.count);
      level_of.push_back(level);
    }
  }
  // With less than a bin for each level there is nothing to compare; and a range that clips much is
  // no calibration, however similar the rest may be.
  if (reference.empty() || step < width || below + above > kMostClipped * total)
    return std::numeric_limits<double>::infinity();
  double kept = 0;
  for (const double sum : level_sum) kept += sum;
  reference.front() += below;
  reference.back() += above;
  double divergence = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double p = reference[i] / total;
    const double q = level_sum[level_of[i]] / level_bins[level_of[i]] / kept;
    if (p > 0) divergence += p * std::log(p / std::max(q, 1e-30));
  }
  return divergence;
}

}  // namespace

double ActivationObserver::Left(size_t bin) const {
  return (static_cast<double>(bin) - static_cast<double>(kHalfOfBins)) * width_;
}

void ActivationObserver::Widen() {
  // Pairs of bins on each side of 0 become one.
  std::vector<int64_t> wider(kBins, 0);
  for (size_t i = 0; i < kBins; ++i) wider[kBins / 4 + i / 2] += bins_[i];
  bins_ = std::move(wider);
  width_ *= 2;
}

void ActivationObserver::Add(std::span<const float> values) {
  for (const float value : values) {
    if (!std::isfinite(value)) {
      ++not_finite_;
      continue;
    }
    low_ = count_ == 0 ? value : std::min(low_, value);
    high_ = count_ == 0 ? value : std::max(high_, value);
    ++count_;
  }
  const double reach = std::max(std::abs(double{low_}), std::abs(double{high_}));
  if (!histogram_ || reach == 0) return;
  if (bins_.empty()) {
    // The first values leave room for twice their size.
    bins_.assign(kBins, 0);
    width_ = std::exp2(std::ceil(std::log2(reach)) + 1) / static_cast<double>(kHalfOfBins);
  }
  while (reach >= width_ * static_cast<double>(kHalfOfBins)) Widen();
  const double scale = 1 / width_;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const auto bin = static_cast<int64_t>(std::floor(value * scale)) + int64_t{kHalfOfBins};
    ++bins_[static_cast<size_t>(bin)];
  }
}

void ActivationObserver::Merge(const ActivationObserver& other) {
  if (other.count_ == 0) return;
  low_ = count_ == 0 ? other.low_ : std::min(low_, other.low_);
  high_ = count_ == 0 ? other.high_ : std::max(high_, other.high_);
  count_ += other.count_;
  not_finite_ += other.not_finite_;
  if (other.bins_.empty()) return;
  if (bins_.empty()) {
    bins_ = other.bins_;
    width_ = other.width_;
    return;
  }
  ActivationObserver aligned = other;
  while (width_ < aligned.width_) Widen();
  while (aligned.width_ < width_) aligned.Widen();
  for (size_t i = 0; i < kBins; ++i) bins_[i] += aligned.bins_[i];
}

ActivationRange ActivationObserver::Range(Observer observer, double percentile, LinearMode mode,
                                          int bits) const {
  const ActivationRange all{low_, high_};
  if (observer == Observer::kMinMax || bins_.empty() || low_ == high_) return all;
  std::vector<Bin> bins;
  double total = 0;
  for (size_t i = 0; i < kBins; ++i) {
    if (bins_[i] == 0) continue;
    bins.push_back({Left(i) + width_ / 2, static_cast<double>(bins_[i])});
    total += bins.back().count;
  }
  if (observer == Observer::kPercentile) {
    const double cut = total * (1 - percentile / 100);
    ActivationRange range = all;
    double sum = 0;
    for (const Bin& bin : bins) {
      sum += bin.count;
      if (sum <= cut) range.low = std::max(range.low, bin.center + width_ / 2);
    }
    sum = 0;
    for (size_t i = bins.size(); i-- > 0;) {
      sum += bins[i].count;
      if (sum <= cut) range.high = std::min(range.high, bins[i].center - width_ / 2);
    }
    return range.low < range.high ? range : all;
  }
  const int levels = (1 << bits) - (mode == LinearMode::kSymmetric ? 1 : 0);
  double best = std::numeric_limits<double>::infinity();
  ActivationRange found = all;
  for (int i = kCandidates; i > 0; --i) {
    const double share = static_cast<double>(i) / kCandidates;
    ActivationRange range{std::min(0.0, all.low * share), std::max(0.0, all.high * share)};
    if (mode == LinearMode::kSymmetric) {
      range.high = std::max(-range.low, range.high);
      range.low = -range.high;
    }
    const double loss = observer == Observer::kMse ? SquaredLoss(bins, range, levels, width_)
                                                   : Divergence(bins, range, levels, width_);
    if (loss < best) {
      best = loss;
      found = {std::max(range.low, all.low), std::min(range.high, all.high)};
      if (mode == LinearMode::kSymmetric) found = range;
    }
  }
  return found;
}

}  // namespace anemone::compress
