// Work: the arithmetic and the traffic of one operation at its declared (static) shapes; what the
// segmenter's beliefs and the latency model both start from. Thread rules: pure functions.
#pragma once

#include <cstdint>

#include "ir/op_def.h"
#include "ir/program.h"

namespace anemone::placement {

struct Work {
  int64_t flops = 0;        // a multiply-accumulate counts as two
  int64_t input_bytes = 0;  // of tensors that exist at run time
  int64_t output_bytes = 0;
  int64_t weight_bytes = 0;  // constants as stored: compressed ones count compressed
  int64_t weight_elements = 0;
  int64_t output_elements = 0;
  bool known = true;  // false when a shape is dynamic or the operator has no definition

  int64_t bytes() const { return input_bytes + output_bytes + weight_bytes; }
  // Operations for each byte; 0 without bytes.
  double intensity() const {
    return bytes() > 0 ? static_cast<double>(flops) / static_cast<double>(bytes()) : 0;
  }
};
Work WorkOf(const ir::Operation& operation, ir::Opset opset);

}  // namespace anemone::placement
