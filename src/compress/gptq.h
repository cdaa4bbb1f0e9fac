// GPTQ (Frantar et al. 2022): rounds the integers of a linear quantization to change the operator's
// output on the calibration inputs least: input by input, where later inputs compensate for the
// error of each. Scales stay. Thread rules: pure functions. Errors: kInvalidInput when it cannot be
// done, with the reason.
#pragma once

#include "compress/calibration.h"
#include "compress/linear_codec.h"

namespace anemone::compress {

// `weight` belongs to a conv or linear operator: output channels first. `tensor` is its nearest
// rounding; its data and errors are replaced.
Status RoundByInputs(const ir::Literal& weight, const InputMoments& moments, LinearMode mode,
                     LinearTensor* tensor);

}  // namespace anemone::compress
