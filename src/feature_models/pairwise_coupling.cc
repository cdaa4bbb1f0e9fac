#include "feature_models/pairwise_coupling.h"

#include <algorithm>
#include <cmath>

namespace anemone::feature_models {

std::vector<double> CouplePairs(const std::vector<std::vector<double>>& pairs) {
  const size_t n = pairs.size();
  // The probabilities p minimize p'Qp with a sum of 1: then every element of Qp is p'Qp.
  std::vector<std::vector<double>> q(n, std::vector<double>(n));
  for (size_t t = 0; t < n; ++t) {
    for (size_t j = 0; j < n; ++j) {
      if (j == t) continue;
      q[t][t] += pairs[j][t] * pairs[j][t];
      q[t][j] = -pairs[j][t] * pairs[t][j];
    }
  }
  std::vector<double> p(n, 1.0 / static_cast<double>(n));
  std::vector<double> qp(n);
  const double tolerance = 0.005 / static_cast<double>(n);
  const size_t rounds = std::max<size_t>(100, n);
  for (size_t round = 0; round < rounds; ++round) {
    double pqp = 0;
    for (size_t t = 0; t < n; ++t) {
      qp[t] = 0;
      for (size_t j = 0; j < n; ++j) qp[t] += q[t][j] * p[j];
      pqp += p[t] * qp[t];
    }
    double error = 0;
    for (size_t t = 0; t < n; ++t) error = std::max(error, std::fabs(qp[t] - pqp));
    if (error < tolerance) break;
    for (size_t t = 0; t < n; ++t) {
      const double step = (pqp - qp[t]) / q[t][t];
      p[t] += step;
      const double scale = 1 + step;
      pqp = (pqp + step * (step * q[t][t] + 2 * qp[t])) / scale / scale;
      for (size_t j = 0; j < n; ++j) {
        qp[j] = (qp[j] + step * q[t][j]) / scale;
        p[j] /= scale;
      }
    }
  }
  return p;
}

}  // namespace anemone::feature_models
