// Palettization of weights: each constant becomes a table of 2^nbits values, the exact k-means
// centers of its elements, and an index for each element (constexpr_lut_to_dense: packed indices
// and a shape before ios18, shaped from then on). Thread rules: one thread to a program; the work
// itself runs on `threads`. Errors: kUnsupported when the program's op set has no such table; then
// nothing is changed.
#pragma once

#include <cstdint>
#include <functional>

#include "compress/report.h"
#include "compress/weights.h"

namespace anemone::compress {

struct PaletteOptions {
  int nbits = 4;  // 1, 2, 4, 6, 8; from ios18 on also 3
  int64_t weight_threshold = 2048;
  Selector select = {};
  int threads = 0;
  std::function<bool()> cancelled = {};
};

Result<Report> PalettizeWeights(ir::Program& program, const PaletteOptions& options = {});

}  // namespace anemone::compress
