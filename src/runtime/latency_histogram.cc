#include "runtime/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace anemone::runtime {
namespace latency {

size_t BucketOf(int64_t duration_ns) {
  if (duration_ns < kSub) return duration_ns < 0 ? 0 : static_cast<size_t>(duration_ns);
  const auto value = static_cast<uint64_t>(duration_ns);
  const int exponent = std::bit_width(value) - 1;
  if (exponent >= kMaxBits) return kBuckets - 1;
  const int shift = exponent - kSubBits;
  // (value >> shift) is in [128, 256): its power of two is already in it once.
  return static_cast<size_t>(shift) * kSub + static_cast<size_t>(value >> shift);
}

int64_t ValueOf(size_t bucket) {
  const auto index = static_cast<int64_t>(bucket);
  if (index < 2 * kSub) return index;
  const int64_t shift = index / kSub - 1;
  const int64_t lower = (index - shift * kSub) << shift;
  return lower + (int64_t{1} << shift) / 2;
}

}  // namespace latency

void LatencyHistogram::RecordMany(int64_t duration_ns, uint64_t times) {
  if (times == 0) return;
  duration_ns = std::max<int64_t>(duration_ns, 0);
  if (buckets_.empty()) buckets_.resize(latency::kBuckets);
  buckets_[latency::BucketOf(duration_ns)] += times;
  count_ += times;
  sum_ns_ += duration_ns * static_cast<int64_t>(times);
  min_ns_ = std::min(min_ns_, duration_ns);
  max_ns_ = std::max(max_ns_, duration_ns);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.count_ == 0) return;
  if (buckets_.empty()) buckets_.resize(latency::kBuckets);
  for (size_t i = 0; i < latency::kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  min_ns_ = std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

double LatencyHistogram::mean_ns() const {
  return count_ == 0 ? 0.0 : static_cast<double>(sum_ns_) / static_cast<double>(count_);
}

int64_t LatencyHistogram::Percentile(double percentile) const {
  if (count_ == 0) return 0;
  // In integers: 99.9 % of 1000 is rank 999, which floating point rounds up to 1000.
  constexpr uint64_t scale = 100'000'000;
  const double bounded = std::isnan(percentile) ? 100.0 : std::clamp(percentile, 0.0, 100.0);
  const auto parts = static_cast<uint64_t>(std::llround(bounded * (scale / 100.0)));
  const uint64_t rank = count_ / scale * parts + (count_ % scale * parts + (scale - 1)) / scale;
  if (rank <= 1) return min_ns_;
  if (rank >= count_) return max_ns_;
  uint64_t seen = 0;
  for (size_t i = 0; i < latency::kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::clamp(latency::ValueOf(i), min_ns_, max_ns_);
  }
  return max_ns_;
}

uint64_t LatencyHistogram::CountAtOrBelow(int64_t duration_ns) const {
  if (count_ == 0 || duration_ns < 0) return 0;
  uint64_t seen = 0;
  const size_t last = latency::BucketOf(duration_ns);
  for (size_t i = 0; i <= last; ++i) seen += buckets_[i];
  return seen;
}

void AtomicLatencyHistogram::Record(int64_t duration_ns) {
  constexpr auto relaxed = std::memory_order_relaxed;
  duration_ns = std::max<int64_t>(duration_ns, 0);
  buckets_[latency::BucketOf(duration_ns)].fetch_add(1, relaxed);
  sum_ns_.fetch_add(duration_ns, relaxed);
  int64_t seen = min_ns_.load(relaxed);
  while (duration_ns < seen && !min_ns_.compare_exchange_weak(seen, duration_ns, relaxed)) {
  }
  seen = max_ns_.load(relaxed);
  while (duration_ns > seen && !max_ns_.compare_exchange_weak(seen, duration_ns, relaxed)) {
  }
}

void AtomicLatencyHistogram::DrainInto(LatencyHistogram& out) {
  constexpr auto relaxed = std::memory_order_relaxed;
  const int64_t max_ns = max_ns_.exchange(0, relaxed);
  const int64_t min_ns = min_ns_.exchange(INT64_MAX, relaxed);
  out.sum_ns_ += sum_ns_.exchange(0, relaxed);
  if (min_ns == INT64_MAX) return;  // nothing was recorded
  if (out.buckets_.empty()) out.buckets_.resize(latency::kBuckets);
  const size_t last = latency::BucketOf(max_ns);
  for (size_t i = latency::BucketOf(min_ns); i <= last; ++i) {
    const uint64_t count = buckets_[i].load(relaxed);
    if (count == 0) continue;
    buckets_[i].store(0, relaxed);
    out.buckets_[i] += count;
    out.count_ += count;
  }
  out.min_ns_ = std::min(out.min_ns_, min_ns);
  out.max_ns_ = std::max(out.max_ns_, max_ns);
}

}  // namespace anemone::runtime
