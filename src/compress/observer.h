// Observer: statistics of one activation, and the range that follows from them. Keeps the extremes
// and, if requested, a histogram whose bins widen with the values, so its size does not depend on
// the number of values. Equal samples give the same result in any order. Thread rules: one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compress/configuration.h"

namespace anemone::compress {

struct ActivationRange {
  double low = 0;
  double high = 0;
};

class ActivationObserver {
 public:
  explicit ActivationObserver(bool histogram) : histogram_(histogram) {}

  // Values that are not finite are counted but otherwise ignored.
  void Add(std::span<const float> values);
  void Merge(const ActivationObserver& other);

  int64_t count() const { return count_; }
  int64_t not_finite() const { return not_finite_; }
  // The range for 2^bits levels, symmetric or not. kMinMax: all values seen. kPercentile: the
  // outermost values are cut off on both sides. kMse: the range with the smallest mean square of
  // rounding and clipping errors. kEntropy: the range whose levels have the distribution nearest to
  // that of the values (Kullback-Leibler, as TensorRT calibrates).
  ActivationRange Range(Observer observer, double percentile, LinearMode mode, int bits = 8) const;

 private:
  void Widen();
  double Left(size_t bin) const;  // smaller edge

  bool histogram_;
  int64_t count_ = 0;
  int64_t not_finite_ = 0;
  float low_ = 0;
  float high_ = 0;
  double width_ = 0;  // of a bin; a power of two. Bin i begins at (i - bins / 2) * width
  std::vector<int64_t> bins_;
};

}  // namespace anemone::compress
