// Probabilities of classes from those of each pair, by Wu, Lin and Weng's second method ("Probability
// Estimates for Multi-class Classification by Pairwise Coupling", 2004), as libsvm computes them.
// Internal to this folder. A pure function.
#pragma once

#include <vector>

namespace anemone::feature_models {

// `pairs[i][j]` is the probability of class i among the two classes i and j; pairs[j][i] is the rest
// to 1.
std::vector<double> CouplePairs(const std::vector<std::vector<double>>& pairs);

}  // namespace anemone::feature_models
