// Histograms of a model's weights, for reports. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "ir/program.h"

namespace anemone::lab {

struct WeightHistogram {
  std::string weight;  // name of the constant
  int64_t elements = 0;
  int64_t non_finite = 0;  // not counted in the other fields
  double low = 0;
  double high = 0;
  double mean = 0;
  double rms = 0;
  // Equal bins from low to high; the last holds `high`.
  std::vector<int64_t> bins;
};

// Histograms of the float constants with more than `threshold` elements, in program order.
std::vector<WeightHistogram> HistogramsOf(const ir::Function& function, int64_t threshold,
                                          int bins = 48);

Json HistogramJson(const WeightHistogram& histogram);

}  // namespace anemone::lab
