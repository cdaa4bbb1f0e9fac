// GPTQ (Frantar et al. 2022): rounds the integers of a linear quantization so that what the
// operator gives on the calibration inputs changes least: input by input, and the error of each is
// made up for by those that follow. Scales stay. Thread rules: pure functions. Errors:
// kInvalidInput where it cannot be done, with the reason.
#pragma once

#include "compress/calibration.h"
#include "compress/linear_codec.h"

namespace anemone::compress {

// `weight` is that of a conv or linear operator: output channels first. `tensor` is its nearest
// rounding, and gets other data and errors.
Status RoundByInputs(const ir::Literal& weight, const InputMoments& moments, LinearMode mode,
                     LinearTensor* tensor);

}  // namespace anemone::compress
