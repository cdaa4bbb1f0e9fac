// Statistics of a seeded network: the mean and variance of each channel, carried through the layers
// by formula. Seeded batch-norm statistics are set from them, so that activations stay near unit
// variance and centered, as they do in a trained network, without running anything. Only +, -, *, /
// and sqrt are used: the same bits on every machine. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "zoo/fold.h"

namespace anemone::zoo {

enum class Act : uint8_t { kNone, kRelu, kRelu6, kGelu, kSilu, kHardSwish, kSigmoid, kHardSigmoid };

// Close enough for statistics, and free of functions that differ between machines.
double Apply(Act act, double x);

struct Stats {
  std::vector<double> mean;  // [channels]
  std::vector<double> variance;
};

// The window of a convolution: input size (square), step and padding.
struct Window {
  int64_t input = 1;
  int64_t stride = 1;
  int64_t pad = 0;
};

Stats AfterConv(const Stats& x, const Kernel& kernel, int64_t groups, const Window& window);
// `excess` multiplies the variance to make up for what the formulas miss, because channels differ
// from their prediction.
Stats AfterActivation(const Stats& x, Act act, double excess);
// A maximum over a 3 x 3 window of rectified values.
Stats AfterMaxPool(const Stats& x);
// The sum of two features that are assumed independent.
Stats AfterAdd(const Stats& a, const Stats& b);
// x times an independent factor for each channel.
Stats AfterGate(const Stats& x, const Stats& gate);
// The mean over a plane.
Stats AfterPooling(const Stats& x);

}  // namespace anemone::zoo
