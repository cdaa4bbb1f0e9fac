// Estimates of one operation as Core ML's segmenter makes them, to predict what it chooses. They
// are its beliefs, not times of a machine (latency_model.h has those): its decision trees are not
// published, only what they answer for a few operators (M6 section 2.2), and these are rooflines
// through those answers. Times in microseconds. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "ir/op_def.h"
#include "ir/program.h"
#include "placement/place.h"

namespace anemone::placement {

// The arithmetic and the traffic of one operation at its declared (static) shapes.
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

// What the segmenter chooses between. BNNS is the fast library of the CPU, the classic one is for
// what BNNS lacks.
enum class Engine : uint8_t { kAne, kBnns, kClassicCpu };

struct EngineEstimate {
  std::optional<double> ane_us;  // absent: the engine does not take the operation
  std::optional<double> bnns_us;
  std::optional<double> classic_us;
};
EngineEstimate EstimateEngines(const Work& work, const OpPlacement& placement,
                               const ir::Operation& operation);

}  // namespace anemone::placement
