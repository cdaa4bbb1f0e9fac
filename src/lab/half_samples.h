// HalfSamples: random inputs that tell float16 from float32: normal and uniform numbers, whole
// pixels for images, and indices over the whole table that they look up. Thread rules: pure
// functions.
#pragma once

#include <vector>

#include "base/status.h"
#include "ir/model.h"
#include "lab/verify.h"

namespace anemone::lab {

// "4 random inputs".
std::string DescribeHalfSamples();

// The same inputs for the same model. kUsage when an input has a dynamic shape that nothing fixes.
Result<std::vector<Inputs>> HalfSamples(const ir::Model& model, const ir::Function& function);

}  // namespace anemone::lab
