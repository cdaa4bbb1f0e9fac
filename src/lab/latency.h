// Latency statistics of repeated inferences: percentiles by nearest rank, in integer nanoseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace anemone::lab {

// The smallest sample that at least `percent` of the samples do not exceed. `samples_ns` must not
// be empty and need not be sorted; 0 < percent <= 100.
int64_t PercentileNs(std::vector<int64_t> samples_ns, double percent);
double MeanNs(const std::vector<int64_t>& samples_ns);

}  // namespace anemone::lab
