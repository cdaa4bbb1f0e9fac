#include "lab/weight_histogram.h"

#include <algorithm>
#include <cmath>

#include "lab/parity_json.h"

namespace anemone::lab {

std::vector<WeightHistogram> HistogramsOf(const ir::Function& function, int64_t threshold,
                                          int bins) {
  std::vector<WeightHistogram> histograms;
  ir::ForEachOperation(*function.block, [&](const ir::Operation& operation) {
    if (!operation.is_const()) return;
    const ir::Literal& literal = *operation.output()->literal;
    if (!literal.type().is_tensor() || literal.element_count() <= threshold) return;
    if (literal.dtype() != DType::kFp32 && literal.dtype() != DType::kFp16) return;
    const auto values = literal.AsFloats();
    if (!values) return;
    WeightHistogram histogram;
    histogram.weight = operation.name();
    histogram.elements = literal.element_count();
    double sum = 0;
    double squares = 0;
    bool any = false;
    for (const float value : *values) {
      if (!std::isfinite(value)) {
        ++histogram.non_finite;
        continue;
      }
      histogram.low = any ? std::min<double>(histogram.low, value) : value;
      histogram.high = any ? std::max<double>(histogram.high, value) : value;
      any = true;
      sum += value;
      squares += double{value} * value;
    }
    const auto finite = static_cast<double>(histogram.elements - histogram.non_finite);
    if (finite > 0) {
      histogram.mean = sum / finite;
      histogram.rms = std::sqrt(squares / finite);
    }
    histogram.bins.assign(static_cast<size_t>(bins), 0);
    const double width = (histogram.high - histogram.low) / bins;
    for (const float value : *values) {
      if (!std::isfinite(value)) continue;
      const double place = width > 0 ? (value - histogram.low) / width : 0;
      ++histogram.bins[std::min(static_cast<size_t>(place), histogram.bins.size() - 1)];
    }
    histograms.push_back(std::move(histogram));
  });
  return histograms;
}

Json HistogramJson(const WeightHistogram& histogram) {
  return {{"weight", histogram.weight},           {"elements", histogram.elements},
          {"non_finite", histogram.non_finite},   {"low", FiniteOrNull(histogram.low)},
          {"high", FiniteOrNull(histogram.high)}, {"mean", FiniteOrNull(histogram.mean)},
          {"rms", FiniteOrNull(histogram.rms)},   {"bins", histogram.bins}};
}

}  // namespace anemone::lab
