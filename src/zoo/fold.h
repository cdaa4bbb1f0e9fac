// The arithmetic of folding: batch normalization and parallel branches into one convolution, in
// double precision. Kernels are [out, in / groups, size, size], row-major. Thread rules: pure
// functions.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/batch_norm.h"

namespace anemone::zoo {

// y[o] = sum of weight[o, i, ky, kx] * x[...] + bias[o].
struct Kernel {
  int64_t out = 0;
  int64_t in = 0;  // input channels of one group
  int64_t size = 1;
  std::vector<double> weight;
  std::vector<double> bias;  // [out]

  int64_t taps() const { return size * size; }
};

using ops::BatchNorm;

// The convolution followed by the normalization.
Kernel Fold(Kernel kernel, const BatchNorm& norm);
// A convolution that changes nothing: ones at the center. `in` channels per group, `out` channels
// in all.
Kernel Identity(int64_t out, int64_t in, int64_t size);
// The same convolution with zeros around its kernel; both sizes must be odd.
Kernel Enlarge(const Kernel& kernel, int64_t size);
// a + factor * b, for kernels of the same geometry: two branches added.
Kernel AddScaled(Kernel a, const Kernel& b, double factor);
// Each output channel times its factor: a layer scale after the convolution.
Kernel ScaleOutputs(Kernel kernel, const std::vector<double>& factors);

}  // namespace anemone::zoo
