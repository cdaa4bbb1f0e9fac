// Quantized activations: quantize and dequantize around the operators that Core ML computes in 8
// bits, where coremltools' linear_quantize_activations puts them: before conv, linear, add,
// avg_pool and max_pool, and behind each of them or behind the activation function that follows it,
// so that conv, activation and pool can be fused. A value gets one pair for all its users; inputs
// and outputs of a concat share one range. Thread rules: one thread to a program. Errors:
// kUnsupported before ios17.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compress/observer.h"
#include "compress/report.h"
#include "ir/program.h"
#include "passes/rewriter.h"

namespace anemone::compress {

// One value to quantize to 8 bits.
struct ActivationSite {
  ir::Value* value = nullptr;
  ActivationConfig config;
  bool behind = false;  // it is the result of a quantized operator: all its users take 8 bits
  std::vector<ir::Use> uses;
};

// Values to observe: the sites, and the groups that share a range through a concat.
struct ActivationPlan {
  std::vector<ActivationSite> sites;
  std::vector<std::vector<std::string>> shared;
};
Result<ActivationPlan> PlanActivations(const passes::Rewriter& rewriter,
                                       const ActivationStep& step);

using Observers = std::map<std::string, ActivationObserver>;  // by name of the value
// Inserts the pairs; the report lists each value, as skipped when it was never seen.
Status InsertActivations(passes::Rewriter& rewriter, const ActivationStep& step,
                         const ActivationPlan& plan, const Observers& observers, Report* report);

}  // namespace anemone::compress
