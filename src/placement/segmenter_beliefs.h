// What Core ML's segmenter believes that one operation takes on each engine, to predict what it
// chooses. Its beliefs are not times of a machine (latency_model.h has those): its decision trees
// are not published, only what they answer for a few operators (M6 section 2.2), and these are
// rooflines through those answers. Times in microseconds. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "placement/place.h"
#include "placement/work.h"

namespace anemone::placement {

// What the segmenter chooses between. BNNS is the fast library of the CPU, the classic one is for
// what BNNS lacks.
enum class Engine : uint8_t { kAne, kBnns, kClassicCpu };

struct EngineBeliefs {
  std::optional<double> ane_us;  // absent: the engine does not take the operation
  std::optional<double> bnns_us;
  std::optional<double> classic_us;
};
EngineBeliefs BeliefsOf(const Work& work, const OpPlacement& placement);

}  // namespace anemone::placement
