// Compute plans that Core ML itself gave: which units support each operation and which one is
// preferred. Read from files that other tools write, so every byte is checked. Four forms, told
// apart by their content:
//
//   anemone.compute_plan   tools/placement/dump_plan.py, from coremltools' MLComputePlan:
//     {"schema": "anemone.compute_plan", "schema_version": 1, "chip": "m4",
//      "compute_units": "cpu_and_ne", "operations": [{"name": "y", "type": "ios16.conv",
//      "preferred": "ane", "supported": ["ane", "cpu"], "cost": 0.25}]}
//   WhisperKit             {"<operation>": {"dispatch": "ANE", "supported": ["CPU", "ANE"],
//                          "cost": 12.5}}
//   ExecuTorch             the text of coreml_compute_plan.py with --show_non_ane: counts by
//                          operator, no names
//   Xcode                  NAME.mlperf, the performance report that Xcode 16 exports: a folder
//                          whose report.json holds, below deviceResults.modelStructure, each
//                          operation with deviceUsage and cost. Apple does not document its
//                          structure; this is the one on which public readers of it agree, and any
//                          other is an error.
//
// A plan is not a trace: what ran may differ. Thread rules: pure functions. Errors: kInvalidInput
// with the place in the file and the rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/compute_unit.h"
#include "base/status.h"
#include "placement/analyze.h"
#include "placement/place.h"

namespace anemone::placement {

struct PlannedOperation {
  std::string name;  // of the operation or its first output; empty in counts by operator
  std::string type;  // "conv", without the op set; empty when the form does not tell
  std::vector<ComputeUnit> supported;  // empty: not told
  ComputeUnit preferred = ComputeUnit::kUnknown;
  std::optional<double> cost;  // share of the model's, 0 to 1
  int64_t count = 1;
};

struct ComputePlan {
  std::string form;  // "anemone", "whisperkit", "executorch", "xcode", "run record"
  std::string chip;  // as the file says; empty when it does not
  std::optional<ComputeUnits> units;  // as the file says
  std::vector<PlannedOperation> operations;
  // Counts only: of each unit, by operator for those that miss the Neural Engine.
  bool counts_only = false;
  int64_t ane_count = 0;
  int64_t total_count = 0;
};

Result<ComputePlan> ReadComputePlan(const std::string& path);
// The same from memory.
Result<ComputePlan> ParseComputePlan(std::string_view text);

}  // namespace anemone::placement
