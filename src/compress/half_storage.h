// Weights stored in half precision while the program computes in float32: constexpr_cast (ios16 and
// later). Tensors of fewer than 512 bytes, and those with values beyond float16, stay float32.
// Thread rules: one thread per program. Errors: kUnsupported before ios16; then nothing is changed.
#pragma once

#include <cstdint>

#include "compress/report.h"
#include "compress/weights.h"

namespace anemone::compress {

struct HalfStorageOptions {
  int64_t min_bytes = 512;  // smaller tensors stay float32
  Selector select = {};
};

Result<Report> StoreWeightsInHalf(ir::Program& program, const HalfStorageOptions& options = {});

}  // namespace anemone::compress
