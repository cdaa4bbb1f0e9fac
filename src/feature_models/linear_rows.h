// Rows of weights with an offset each: what both linear models are made of; and the link functions.
// Internal to this folder. Thread rules: immutable. Errors: kInvalidInput from Make.
#pragma once

#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "base/status.h"

namespace anemone::feature_models {

class LinearRows {
 public:
  // From a wire message with the repeated fields `weights` and `offset`: at least one row, all of
  // one length that is not 0.
  template <typename Wire>
  static Result<LinearRows> Make(const Wire& wire) {
    LinearRows rows;
    for (const auto& row : wire.weights()) {
      rows.weights_.emplace_back(row.vector().begin(), row.vector().end());
    }
    rows.offsets_.assign(wire.offset().begin(), wire.offset().end());
    ANEMONE_TRY(rows.Check());
    return rows;
  }

  size_t size() const { return weights_.size(); }
  int64_t columns() const { return static_cast<int64_t>(weights_.front().size()); }
  // Of each row, the sum of the products with `vector` and the offset; kUsage for another length.
  Result<std::vector<double>> Apply(std::span<const double> vector) const;

 private:
  Status Check() const;

  std::vector<std::vector<double>> weights_;
  std::vector<double> offsets_;
};

inline double Logistic(double x) { return 1 / (1 + std::exp(-x)); }
// The distribution function of the normal distribution.
inline double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

}  // namespace anemone::feature_models
