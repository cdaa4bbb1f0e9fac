// Exact k-means of numbers on a line: the clusters with the smallest weighted sum of squared
// distances, never found from a random start. Each cluster of the optimum is an interval of the
// sorted values. With a price on every cluster the best intervals come from one sweep over the
// values (a concave least-weight subsequence); the price at which there are k of them is searched
// (Gronlund et al., "Fast Exact k-Means, k-Medians and Bregman Divergence Clustering in 1D", 2017;
// where several counts share a price, two paths are joined as in Aggarwal, Schieber and Tokuyama,
// 1994). So the time does not grow with k. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/dtype.h"

namespace anemone::compress {

// Distinct values in ascending order, each with its weight (how often it occurs, or its
// importance), all positive.
struct WeightedPoints {
  std::vector<double> value;
  std::vector<double> weight;
};

// First point of each of min(k, number of points) clusters. Time O(n log n) in the worst case, a
// few sweeps in practice; memory 44 bytes for each point.
std::vector<uint32_t> SplitIntoClusters(const WeightedPoints& points, int k);

struct Clusters {
  // Ascending; min(k, number of different values) of them; values of `dtype`.
  std::vector<float> centers;
  std::vector<uint8_t> indices;  // for each value, its nearest center
  double squares = 0;            // sum of squared distances, not weighted
  double largest = 0;            // largest distance
};

// `values` are finite; 1 <= k <= 256; centers are rounded to `dtype` (fp32, fp16), then every value
// goes to the nearest. `importance` (empty: all equal) holds a weight >= 0 for each value. From
// 2^13 fp32 values of equal importance on they are not sorted but binned (kmeans_binned.h), which
// is exact except for where the search for the best borders begins: within 2^-11 of the best value.
// With importance and more than 2^20 different values, those within 2^-20 of the range of one
// another count as their mean.
Clusters KMeans1D(std::span<const float> values, int k, DType dtype = DType::kFp32,
                  std::span<const float> importance = {});
// The same for half precision, where there are at most 65536 different values.
Clusters KMeans1D(std::span<const Half> values, int k, std::span<const float> importance = {});

}  // namespace anemone::compress
