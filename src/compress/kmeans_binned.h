// K-means of very many float32 values on a line, where sorting them all would take longer than all
// the rest. Rounded to half precision (after a power of two has brought the largest to the top of
// its range) they fall into some ten thousand bins, each with its count and its exact sum. The best
// clusters made of whole bins are found as in kmeans_1d.h; then each border moves to where it
// halves the way between the exact means on its sides, counting the values of its bins one by one,
// until none moves any more (Lloyd, "Least squares quantization in PCM", 1982). Thread rules: a
// pure function.
#pragma once

#include <optional>
#include <span>

#include "compress/kmeans_1d.h"

namespace anemone::compress {

// As KMeans1D for fp32 values that all count alike. Nothing when they fall into too few bins for
// that: few different values, or all close to one that is not 0.
std::optional<Clusters> KMeansBinned(std::span<const float> values, int k);

}  // namespace anemone::compress
