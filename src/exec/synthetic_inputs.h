// Seeded inputs for a function, used when there is no user data. Standard normal for float tensors
// (images normalized as networks see them), small integers for integer tensors (indices of a table within it), coin flips for
// bools. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"
#include "ir/program.h"

namespace anemone::exec {

// One tensor for each input but the states, a pure function of (seed, sample), of the default shapes
// that `model` declares for the inputs of its `function`. kUsage when an input is of a dynamic shape
// that nothing fixes.
Result<std::map<std::string, Tensor>> SyntheticInputs(const ir::Model& model,
                                                      const ir::Function& function, uint64_t seed,
                                                      int sample);

// Turns the inputs that are images into pixels, whole numbers from 0 to 255: the values that a
// system that takes images can represent.
void MakePixels(const ir::Model& model, const ir::Function& function,
                std::map<std::string, Tensor>* inputs);

}  // namespace anemone::exec
