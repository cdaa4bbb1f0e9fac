// The segmenter: which engine Core ML gives each operation. It takes the cheapest way through the
// operations in file order, where a step costs what it believes of the operation, and besides: a
// launch for each segment on the Neural Engine, a switch between two engines, and a copy when the
// last operation leaves a result on the Neural Engine. Measured on M4 (M6 section 2.3: 440 of 482
// models exactly, 41 ties, 1 miss). Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "placement/segmenter_beliefs.h"

namespace anemone::placement {

// Microseconds. The same for every chip until one other than M4 is measured.
struct SegmenterCosts {
  double ane_launch_us = 125;
  double switch_us = 125;
  double ane_output_us = 125;
};

struct Segment {
  Engine engine = Engine::kBnns;
  size_t first = 0;  // indices of the beliefs
  size_t count = 0;
};

struct Segmentation {
  std::vector<Engine> engines;  // one for each operation
  std::vector<Segment> segments;
  double cost_us = 0;
  // A second way costs the same: the choice is arbitrary.
  bool tie = false;
};

// Of a tie, the way that stays longer on the Neural Engine is taken. An operation that no engine
// takes counts as the classic CPU's.
Segmentation SegmentOperations(std::span<const EngineBeliefs> beliefs,
                               const SegmenterCosts& costs = {});

}  // namespace anemone::placement
