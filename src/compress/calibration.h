// Calibration: inputs on which to run a model, and the statistics from that: ranges of activations,
// and how strongly each weight is driven. One streaming pass: samples come one at a time, memory
// does not grow with their number, and nothing is written to disk. Thread rules: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "ir/model.h"

namespace anemone::compress {

// The source of samples; implemented by the caller.
class CalibrationData {
 public:
  virtual ~CalibrationData() = default;
  virtual int64_t count() const = 0;
  // Inputs by feature name, as exec::Executable takes them.
  virtual Result<std::map<std::string, exec::Tensor>> Sample(int64_t index) const = 0;
};

// Samples, and how to run a model on them.
struct Calibration {
  const CalibrationData* data = nullptr;
  std::function<Result<std::unique_ptr<exec::Executable>>(std::shared_ptr<const ir::Model>)> load;
};

// How a weight of a conv or linear operator is driven: x are the inputs of one row of the weight
// (all elements of one output channel) at one position; sums over some positions of all samples.
struct InputMoments {
  int64_t row = 0;              // elements of a row of the weight
  int64_t groups = 1;           // groups of output channels with their own inputs
  double count = 0;             // positions
  std::vector<double> sums;     // of x, [groups, row]
  std::vector<double> squares;  // of x x, [groups, row]
  // Of x x^T, [groups, row, row], upper triangles; empty when not requested, or rows are too long.
  std::vector<float> products;
};
// By the name of the weight's constant.
using InputStatistics = std::map<std::string, InputMoments>;

}  // namespace anemone::compress
