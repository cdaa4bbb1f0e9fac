// Batch normalization with known statistics as what it is: a factor and an offset for each channel,
// in double precision. What folds it into the weights before it starts here. Thread rules: pure
// functions.
#pragma once

#include <cassert>
#include <cmath>
#include <cstddef>
#include <vector>

namespace anemone::ops {

// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta; all of one size, the channels.
struct BatchNorm {
  std::vector<double> gamma;
  std::vector<double> beta;
  std::vector<double> mean;
  std::vector<double> variance;
  double epsilon = 1e-5;
};

// y = x * scale + shift. Not finite where the variance and epsilon are 0, or below.
struct ChannelAffine {
  std::vector<double> scale;
  std::vector<double> shift;
};

inline ChannelAffine AffineOf(const BatchNorm& norm) {
  const size_t channels = norm.gamma.size();
  assert(norm.beta.size() == channels && norm.mean.size() == channels &&
         norm.variance.size() == channels);
  ChannelAffine affine{std::vector<double>(channels), std::vector<double>(channels)};
  for (size_t c = 0; c < channels; ++c) {
    affine.scale[c] = norm.gamma[c] / std::sqrt(norm.variance[c] + norm.epsilon);
    affine.shift[c] = norm.beta[c] - norm.mean[c] * affine.scale[c];
  }
  return affine;
}

}  // namespace anemone::ops
