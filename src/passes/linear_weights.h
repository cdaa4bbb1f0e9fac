// Shared by the fusions into linear: its weights as numbers. Thread rules: pure functions.
#pragma once

#include <optional>
#include <vector>

#include "passes/match.h"

namespace anemone::passes {

struct LinearWeights {
  int64_t outputs = 0;
  int64_t inputs = 0;
  std::vector<double> weight;  // [outputs, inputs]
  std::vector<double> bias;    // zeros where there is none
};

// Of a linear whose weight and bias are plain constants that nothing else uses; nullopt for others,
// a compressed weight among them.
std::optional<LinearWeights> LinearWeightsOf(const Rewriter& rewriter, const ir::Operation& linear);

// Replaces `last` by linear(x) with these weights; changes nothing when they leave the range of
// their dtype.
Status ReplaceByLinear(Rewriter& rewriter, ir::Operation& last, ir::Value* x,
                       const LinearWeights& weights, const std::string& name);

}  // namespace anemone::passes
