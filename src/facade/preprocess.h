// How photographs become inputs, from options to what the lab works with. Thread rules: pure
// functions.
#pragma once

#include "anemone/options.h"
#include "base/status.h"
#include "lab/evaluate.h"

namespace anemone::facade {

// kUsage for options out of range.
Result<lab::Preprocess> PreprocessOf(const PreprocessOptions& options);

}  // namespace anemone::facade
