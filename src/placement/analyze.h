// Analysis of a whole function: every operation's units, the segmenter's choice, coverage.
// Operations inside control flow are judged too, but the segmenter does not place them: their
// block runs where its operation runs, on the CPU. Thread rules: pure functions. Ownership: the
// analysis points into the function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/compute_unit.h"
#include "ir/model.h"
#include "placement/chip.h"
#include "placement/place.h"
#include "placement/segmenter.h"
#include "placement/segmenter_beliefs.h"

namespace anemone::placement {

// What a last axis of `bytes` takes on the Neural Engine, which pads it to 64.
inline int64_t PaddedRowBytes(int64_t bytes) { return (bytes + 63) / 64 * 64; }

struct AnalyzedOp {
  const ir::Operation* operation = nullptr;
  OpPlacement placement;
  Work work;
  EngineBeliefs beliefs;
  // What the segmenter chooses; kUnknown when it depends on unpublished data (CPU and GPU).
  ComputeUnit preferred = ComputeUnit::kUnknown;
  Engine engine = Engine::kBnns;
  std::string note;  // a caution that bars nothing: a last axis that pads
  bool nested = false;

  bool Supports(ComputeUnit unit) const { return placement.of(unit).expected; }
};

// A share of the placed operations, 0 to 100. Constants do not count.
struct Coverage {
  double by_count_pct = 0;
  double by_flops_pct = 0;  // by count when there is no arithmetic at all
  double by_time_pct = 0;   // of the estimated time on the CPU
};

struct Analysis {
  const Chip* chip = nullptr;
  ComputeUnits units = ComputeUnits::kCpuAndNe;
  std::vector<AnalyzedOp> operations;  // placed ones, in file order
  std::vector<Segment> segments;       // of the operations that are not nested
  bool tie = false;
  // What the Neural Engine could take, and what it is given.
  Coverage supported;
  Coverage preferred;
  // Range of `supported.by_count_pct` over the verdicts that are conditional or unknown.
  double supported_low_pct = 0;
  double supported_high_pct = 0;
  int64_t flops = 0;
  int64_t bytes = 0;
  bool static_shapes = true;
  // Cautions about the whole model, one sentence each, with their source.
  std::vector<std::string> notes;

  int64_t CountPreferred(ComputeUnit unit) const;
};

// What is known of models with so many bytes of weights on the chip's engine; empty: nothing.
std::string ModelSizeNote(double weight_bytes, const Chip& chip);

// How the shapes of a function's inputs may change.
FlexibleShapes FlexibilityOf(const ir::Model& model, const std::string& function);

// What Core ML does with the GPU in play is not published: with kAll the choice is the one for the
// CPU and the Neural Engine.
Analysis Analyze(const ir::Function& function, const Chip& chip,
                 FlexibleShapes flexible = FlexibleShapes::kNone,
                 ComputeUnits units = ComputeUnits::kCpuAndNe);

}  // namespace anemone::placement
