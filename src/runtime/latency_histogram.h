// LatencyHistogram: a distribution of durations in nanoseconds whose percentiles are within 1 % of
// exact (0.4 % by construction), in fixed memory, mergeable.
//
// Buckets as in HdrHistogram: below 128 ns one for each nanosecond, above that 128 for each power
// of two, so that half a bucket is at most 1/256 of its value. Durations of more than 2^47 ns (39
// h) share the last bucket. The smallest and the largest value are kept exactly.
//
// Thread rules: a value; one writer. AtomicLatencyHistogram takes writers on any number of threads
// and is read when none is at work (telemetry_stripes.h sees to that).
// Source: G. Tene's HdrHistogram; C. Masson et al., DDSketch (VLDB 2019), for the error bound.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace anemone::runtime {

namespace latency {
inline constexpr int kSubBits = 7;              // 128 buckets for each power of two
inline constexpr int64_t kSub = 1 << kSubBits;  // values below are exact
inline constexpr int kMaxBits = 47;             // 2^47 ns and more share the last bucket
inline constexpr size_t kBuckets = static_cast<size_t>(kSub) * (kMaxBits - kSubBits + 1);
// The bucket of a duration; negative ones count as 0.
size_t BucketOf(int64_t duration_ns);
// The middle of a bucket, in nanoseconds.
int64_t ValueOf(size_t bucket);
}  // namespace latency

class LatencyHistogram {
 public:
  void Record(int64_t duration_ns) { RecordMany(duration_ns, 1); }
  void RecordMany(int64_t duration_ns, uint64_t times);
  void Merge(const LatencyHistogram& other);

  uint64_t count() const { return count_; }
  int64_t sum_ns() const { return sum_ns_; }
  // 0 when empty.
  int64_t min_ns() const { return count_ == 0 ? 0 : min_ns_; }
  int64_t max_ns() const { return max_ns_; }
  double mean_ns() const;
  // The nearest-rank percentile: the smallest recorded value that `percentile` per cent of all do
  // not exceed. 0 gives the minimum, 100 the maximum, both exact; an empty histogram gives 0.
  int64_t Percentile(double percentile) const;
  // How many values are in buckets that end at or below `duration_ns` or hold it.
  uint64_t CountAtOrBelow(int64_t duration_ns) const;

  bool operator==(const LatencyHistogram&) const = default;

 private:
  friend class AtomicLatencyHistogram;
  std::vector<uint64_t> buckets_;  // empty until the first value
  uint64_t count_ = 0;
  int64_t sum_ns_ = 0;
  int64_t min_ns_ = INT64_MAX;
  int64_t max_ns_ = 0;
};

// The same buckets as relaxed atomics: Record takes no lock and never allocates.
class AtomicLatencyHistogram {
 public:
  void Record(int64_t duration_ns);
  // Adds everything to `out` and starts over. No Record may run meanwhile.
  void DrainInto(LatencyHistogram& out);

 private:
  std::array<std::atomic<uint64_t>, latency::kBuckets> buckets_{};
  std::atomic<int64_t> sum_ns_{0};
  std::atomic<int64_t> min_ns_{INT64_MAX};
  std::atomic<int64_t> max_ns_{0};
};

}  // namespace anemone::runtime
