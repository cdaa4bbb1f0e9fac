// A trial: one seeded picture that runs through a seeded network while it is built, so that its
// last layers are scaled to what really arrives there, as training scales them, and not to what
// formulas predict (zoo/stats.h). (Layer-sequential unit variance, Mishkin and Matas 2016,
// arXiv:1511.06422, for the layers that no batch normalization follows.)
//
// The same bits on every machine: products of float32 are exact in float64, so that it does not
// matter where multiplication and addition are fused, and sums have one order. Thread rules: pure
// functions; a convolution uses all cores.
#pragma once

#include <cstdint>
#include <vector>

#include "zoo/fold.h"
#include "zoo/stats.h"

namespace anemone::zoo {

struct Trial {
  int64_t channels = 0;
  int64_t size = 0;           // width and height
  std::vector<float> values;  // [channels, size, size]

  int64_t plane() const { return size * size; }
};

// Uniform noise of mean 0 and variance 1.
Trial TrialPicture(int64_t channels, int64_t size, uint64_t seed);
// Padding: `before` at the start of each axis, `padding` in all.
Trial TrialConv(const Trial& x, const Kernel& kernel, int64_t groups, int64_t stride,
                int64_t before, int64_t padding);
Trial TrialActivation(Trial x, Act act);
Trial TrialAdd(Trial a, const Trial& b);
// A maximum over windows of 3 x 3, at every other position.
Trial TrialMaxPool(const Trial& x);
// The mean of each plane.
Trial TrialMean(const Trial& x);
// Each plane times its factor.
Trial TrialScale(Trial x, const Trial& factors);

// The mean of the squares of all values.
double MeanSquare(const Trial& x);

}  // namespace anemone::zoo
