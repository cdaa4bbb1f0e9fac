// Exact k-means of numbers on a line: the clusters with the smallest sum of squared distances,
// found by dynamic programming over the sorted values (each cluster is an interval), never by a
// random start. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace anemone::compress {

struct Clusters {
  std::vector<float> centers;     // ascending; min(k, number of different values) of them
  std::vector<uint32_t> indices;  // for each value, its center
  double squares = 0;             // sum of squared distances
};

// `values` are finite; 1 <= k <= 65536. With more than 2^16 different values, those within 2^-16 of
// the range of one another count as their mean before clustering (the distance in `squares` is that
// of the values themselves). Time O(k n log n), memory O(k n) of the different values.
Clusters KMeans1D(std::span<const float> values, int k);

}  // namespace anemone::compress
