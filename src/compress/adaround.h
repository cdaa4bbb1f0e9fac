// AdaRound (Nagel et al. 2020, arXiv:2004.10568): learns for each weight of a linear quantization
// whether to round it down or up, to change the operator's output on the calibration inputs least.
// As in the paper, a soft choice in [0, 1] (a stretched sigmoid; here x / (1 + |x|), which costs
// less) is trained by Adam while a growing pressure drives it to 0 or 1. Unlike the paper, the
// squared error of the output is computed from the products of the inputs, x x^T: exact over all
// inputs, instead of over a few of them at each step. At the end, single choices that still gain
// are flipped. No output channel ends up with more error than nearest rounding gives it. Scales
// stay. Thread rules: pure functions; deterministic. Errors: kInvalidInput when it cannot be done,
// with the reason.
#pragma once

#include "compress/calibration.h"
#include "compress/linear_codec.h"

namespace anemone::compress {

struct AdaRoundOptions {
  int steps = 400;
  float rate = 0.04f;
  // Weight of the pressure; 1 is the error of one whole step at an input of mean power.
  float pressure = 0.1f;
};

// `weight` belongs to a conv or linear operator: output channels first. `tensor` is its nearest
// rounding; its data and errors are replaced.
Status RoundByLearning(const ir::Literal& weight, const InputMoments& moments, LinearMode mode,
                       LinearTensor* tensor, const AdaRoundOptions& options = {});

}  // namespace anemone::compress
