// Calibration: inputs to run a model on, and what is learned from that: ranges of activations, and
// how strongly each weight is driven. One streaming pass: samples come one at a time, what is kept
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

// Where samples come from; the caller's.
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

// How a weight of a conv or linear operator is driven: x are the inputs that one row of the weight
// (all elements of one output channel) meets at one position; sums over some positions of all
// samples.
struct InputMoments {
  int64_t row = 0;              // elements of a row of the weight
  int64_t groups = 1;           // groups of output channels that meet inputs of their own
  double count = 0;             // positions
  std::vector<double> sums;     // of x, [groups, row]
  std::vector<double> squares;  // of x x, [groups, row]
  // Of x x^T, [groups, row, row], upper triangles; empty where nobody asked, or rows are too long.
  std::vector<float> products;
};
// By the name of the weight's constant.
using InputStatistics = std::map<std::string, InputMoments>;

}  // namespace anemone::compress
