// Convert: from an imported program to one that Core ML runs well: clean-up passes, compute
// precision, deployment target. Thread rules: changes the model it is given; nothing shared.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "anemone/options.h"
#include "base/status.h"
#include "ir/model.h"

namespace anemone::facade {

// "iOS15" ... "iOS18", "macOS12" ... "macOS15", in any case. kUsage lists the targets there are.
Result<ir::Opset> ParseDeploymentTarget(const std::string& text);
// "iOS17".
std::string DeploymentTargetName(ir::Opset opset);

struct ConvertReport {
  struct Pass {
    std::string name;
    int64_t duration_ns = 0;
    bool changed = false;
  };
  std::vector<Pass> passes;
  int64_t operations_before = 0;
  int64_t operations_after = 0;
  std::vector<std::string>
      notes;  // what the passes have to say: operators kept in float32 and why, lost precision
};

// A deep copy that shares the bytes of the weights.
ir::Model CloneModel(const ir::Model& model);

// Called with a pass's name before each run of it, and by long passes now and then; returning false
// cancels (kCancelled).
using ConvertProgress = std::function<bool(std::string_view pass)>;

// kUsage for options out of range.
Status Convert(ir::Model& model, const ConvertOptions& options, ConvertReport* report = nullptr,
               const ConvertProgress& progress = {});

}  // namespace anemone::facade
