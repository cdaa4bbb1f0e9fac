// k-means of short vectors: greedy k-means++ seeding from fixed seeds, then Lloyd's iterations
// until the loss stops falling; empty clusters move to the vector with the largest error. The same
// result on every processor. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace anemone::compress {

struct VectorClusters {
  std::vector<float> centers;    // row-major [clusters, dim]; min(k, vectors) clusters
  std::vector<uint8_t> indices;  // the nearest center of each vector
};

// `vectors` is row-major [n, dim]; 1 <= k <= 256; `importance` (empty: all equal) has a weight >= 0
// for each vector, not all 0.
VectorClusters KMeansVectors(std::span<const float> vectors, size_t dim, int k,
                             std::span<const float> importance = {});

// The nearest of `centers` for each vector; the first of equally near ones.
void NearestCenters(std::span<const float> vectors, size_t dim, std::span<const float> centers,
                    std::span<uint8_t> indices, std::span<float> distances);

}  // namespace anemone::compress
