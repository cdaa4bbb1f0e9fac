// The report of a compression: each constant that was compressed or skipped, with the reason, and
// the sizes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/type.h"

namespace anemone::compress {

struct TensorRecord {
  std::string name;
  std::string op;  // type of the operation that takes it first; "" when none does
  ir::Shape shape;
  DType dtype = DType::kInvalid;  // before
  std::string form;               // "int8 per_tensor", "fp16"; empty when skipped
  std::string reason;             // why it was skipped; empty when compressed
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;  // data and parameters; the same as before when skipped
  // Largest |decompressed - original|, and the square root of the mean square; 0 when skipped.
  double max_error = 0;
  double rms_error = 0;
};

struct Report {
  std::vector<TensorRecord> compressed;
  std::vector<TensorRecord> skipped;
  // The size of all constants with 10 or more elements, compressed or not.
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;
};

}  // namespace anemone::compress
