// The estimated latency of one inference, by chip and unit, with an interval. The model of the
// Neural Engine is fitted on published measurements by tools/placement/fit.py, whose report
// shows the errors; those of the CPU and the GPU rest on few numbers and have wide intervals.
// Values without evidence are nullopt. Milliseconds; a warm device, a static shape. Thread
// rules: pure functions.
#pragma once

#include <optional>
#include <string>

#include "placement/analyze.h"
#include "placement/workload.h"

namespace anemone::placement {

// A value and the interval that should hold the truth nine times in ten.
struct Interval {
  double value = 0;
  double low = 0;
  double high = 0;
};

struct LatencyReport {
  // Every operation on that unit. nullopt: no evidence, or the unit does not take all of them.
  std::optional<Interval> ane_ms;
  std::optional<Interval> gpu_ms;
  std::optional<Interval> cpu_ms;
  // With the operations placed as the segmenter does.
  std::optional<Interval> placed_ms;
  // cpu_ms / placed_ms.
  std::optional<Interval> speedup_over_cpu;
  std::string basis;  // the basis of the numbers, in words
};

// Estimates for the analysis' chip. Shapes must be static; otherwise everything is nullopt.
LatencyReport EstimateLatency(const Analysis& analysis);

// Estimates a workload that runs on the Neural Engine as one segment. nullopt: nothing is known
// about the chip's engine.
std::optional<Interval> AneLatency(const Workload& work, double streamed_weight_bytes,
                                   const Chip& chip);

// The bytes that the weights of an operation stream on this engine, given the form that it keeps.
// Per-block int4 and int8 unfold to float16 on H13 and H14; int8 per channel on H13.
double StreamedWeightBytes(const AnalyzedOp& op, AneFamily family);

}  // namespace anemone::placement
