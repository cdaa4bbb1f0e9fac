#include "feature_models/linear_rows.h"

#include <numeric>

namespace anemone::feature_models {

Status LinearRows::Check() const {
  if (weights_.empty()) return InvalidInput("the model has no weights");
  if (weights_.size() != offsets_.size()) {
    return InvalidInput("{} rows of weights, but {} offsets", weights_.size(), offsets_.size());
  }
  const size_t columns = weights_.front().size();
  if (columns == 0) return InvalidInput("the rows of weights are empty");
  for (const std::vector<double>& row : weights_) {
    if (row.size() != columns) {
      return InvalidInput("a row of {} weights, but the first one has {}", row.size(), columns);
    }
  }
  return {};
}

Result<std::vector<double>> LinearRows::Apply(std::span<const double> vector) const {
  if (static_cast<int64_t>(vector.size()) != columns()) {
    return Usage("the inputs hold {} numbers, but the model has weights for {}", vector.size(),
                 columns());
  }
  std::vector<double> sums(weights_.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i] = std::inner_product(vector.begin(), vector.end(), weights_[i].begin(), offsets_[i]);
  }
  return sums;
}

}  // namespace anemone::feature_models
