// K-means of very many float32 values on a line, where sorting them would take longer than
// everything else. Rounded to half precision (after a power of two has scaled the largest to the
// top of its range) they fall into some ten thousand bins, each with its count and its exact sum.
// The best clusters of whole bins are found as in kmeans_1d.h; then each border moves to the
// midpoint between the exact means on its sides, counting the values of its bins one by one,
// until none moves any more (Lloyd, "Least squares quantization in PCM", 1982). Thread rules: a
// pure function.
#pragma once

#include <optional>
#include <span>

#include "compress/kmeans_1d.h"

namespace anemone::compress {

// As KMeans1D for fp32 values of equal importance. Nothing when they fall into too few bins for
// that: few distinct values, or all close to one that is not 0.
std::optional<Clusters> KMeansBinned(std::span<const float> values, int k);

}  // namespace anemone::compress
