#include "lab/latency.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace anemone::lab {

int64_t PercentileNs(std::vector<int64_t> samples_ns, double percent) {
  assert(!samples_ns.empty());
  const auto n = static_cast<double>(samples_ns.size());
  // The small slack keeps 99 % of 100 at rank 99 although 0.99 * 100 is not exact.
  const double exact = std::ceil(percent / 100 * n - 1e-9);
  const auto rank = static_cast<size_t>(std::clamp(exact, 1.0, n));
  std::nth_element(samples_ns.begin(), samples_ns.begin() + static_cast<std::ptrdiff_t>(rank - 1),
                   samples_ns.end());
  return samples_ns[rank - 1];
}

double MeanNs(const std::vector<int64_t>& samples_ns) {
  double sum = 0;
  for (const int64_t sample : samples_ns) sum += static_cast<double>(sample);
  return samples_ns.empty() ? 0 : sum / static_cast<double>(samples_ns.size());
}

}  // namespace anemone::lab
