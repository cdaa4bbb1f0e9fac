// ONNX: what LSTM, GRU and RNN share: their sizes, and their weights, whose gates lie in blocks of rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "onnx/constant.h"

namespace anemone::ops::recurrent {

struct Cell {
  int64_t directions = 1, hidden = 0;
  int64_t batch = 0, length = 0;  // sizes, which may be open
  std::string direction;          // MIL's word
  bool batch_first = false;
};

inline bool IsReversed(const Cell& cell, int64_t direction) {
  return direction == 1 || cell.direction == "reverse";
}

// Rows of one direction of x, [directions, gates * hidden, columns] or [directions, gates * hidden]: its
// gates (blocks of `hidden` rows), from `from_gate` on, in another order.
std::vector<float> Reorder(const onnx::Constant& x, int64_t direction,
                           const std::vector<int64_t>& order, int64_t hidden,
                           int64_t from_gate = 0);

}  // namespace anemone::ops::recurrent
