// Convert: from an imported program to one that Core ML runs well: clean-up passes, compute
// precision, deployment target. Thread rules: changes the model it is given; nothing shared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
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
  // Of ConvertChecked to float16.
  struct Float16 {
    std::string inputs;   // "4 random inputs"; empty: no sampled check was made
    std::string skipped;  // why not
    // The largest difference of an output divided by its range, as float16 is by itself and as it
    // is written; nullopt without a check, infinite for NaN and for an answer that never changes.
    std::optional<double> error_plain;
    std::optional<double> error;
    std::vector<std::string> keep_float32;  // what the check chose, as patterns
    int64_t rescaled = 0;                   // operators whose results are scaled by powers of two
    // Of the result; float32_share is of the arithmetic.
    double float32_share = 0;
    int64_t float32_operators = 0;
    int64_t casts_added = 0;
  };
  std::optional<Float16> float16;
};

// A deep copy that shares the bytes of the weights.
ir::Model CloneModel(const ir::Model& model);

// Called with a pass's name before each run of it, and by long passes now and then; returning false
// cancels (kCancelled).
using ConvertProgress = std::function<bool(std::string_view pass)>;

// What --keep-float32 says.
struct KeepFloat32 {
  bool automatic = true;  // operators are chosen, and the result is checked
  bool checked = true;    // the result is checked
  std::vector<std::string> patterns;
};
// kUsage when 'none' stands beside others.
Result<KeepFloat32> ParseKeepFloat32(const std::vector<std::string>& values);

// What a conversion to float16 also keeps in float32. May be empty.
using KeepOperation = std::function<bool(const ir::Operation&)>;
// The second half of a conversion to float16: `model` has been converted to float32 for its target.
// kUsage for a pattern that matches nothing.
Status ConvertToHalf(ir::Model& model, const std::vector<std::string>& patterns,
                     const KeepOperation& keep, ConvertReport* report = nullptr,
                     const ConvertProgress& progress = {});

// ConvertToHalf of a copy, with the operators of these names kept.
Result<std::shared_ptr<const ir::Model>> HalfCopy(const ir::Model& model,
                                                  const std::vector<std::string>& patterns,
                                                  const std::set<std::string>& keep);

// Without a check of what float16 does. kUsage for options out of range.
Status Convert(ir::Model& model, const ConvertOptions& options, ConvertReport* report = nullptr,
               const ConvertProgress& progress = {});

}  // namespace anemone::facade
