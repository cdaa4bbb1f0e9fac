// The softmax of scores, in place and without overflow. Internal to this folder. A pure function.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace anemone::feature_models {

inline void Softmax(std::span<double> scores) {
  if (scores.empty()) return;
  const double largest = *std::ranges::max_element(scores);
  double sum = 0;
  for (double& score : scores) {
    score = std::exp(score - largest);
    sum += score;
  }
  for (double& score : scores) score /= sum;
}

}  // namespace anemone::feature_models
