#include "compress/kmeans_1d.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace anemone::compress {
namespace {

constexpr size_t kMaxPoints = 65536;

// Different values in ascending order, with how many there are of each.
struct Points {
  std::vector<double> value;
  std::vector<double> weight;
};

Points Distinct(const std::vector<float>& sorted) {
  Points points;
  for (size_t i = 0; i < sorted.size();) {
    size_t end = i;
    while (end < sorted.size() && sorted[end] == sorted[i]) ++end;
    points.value.push_back(sorted[i]);
    points.weight.push_back(static_cast<double>(end - i));
    i = end;
  }
  return points;
}

// Neighbours that fall into the same 2^-16 of the range become their mean.
Points Thinned(const Points& all) {
  Points points;
  const double low = all.value.front();
  const double step = (all.value.back() - low) / kMaxPoints;
  const auto bin_of = [&](size_t i) {
    return std::min(static_cast<size_t>((all.value[i] - low) / step), kMaxPoints - 1);
  };
  for (size_t i = 0; i < all.value.size();) {
    const size_t bin = bin_of(i);
    double sum = 0;
    double weight = 0;
    for (; i < all.value.size() && bin_of(i) == bin; ++i) {
      sum += all.value[i] * all.weight[i];
      weight += all.weight[i];
    }
    points.value.push_back(sum / weight);
    points.weight.push_back(weight);
  }
  return points;
}

// The best cut of points 0 ... i into k intervals, for all i and one k after the other. The place
// of the last cut never moves left as i grows, so each row is filled by halving: the middle first,
// then each side within what the middle left.
class Cutter {
 public:
  explicit Cutter(const Points& points)
      : n_(points.value.size()), weight_(n_ + 1), sum_(n_ + 1), square_(n_ + 1) {
    // Around the mean the sums of squares lose no digits.
    double total = 0;
    double mean = 0;
    for (size_t i = 0; i < n_; ++i) {
      total += points.weight[i];
      mean += points.weight[i] * points.value[i];
    }
    mean /= total;
    for (size_t i = 0; i < n_; ++i) {
      const double value = points.value[i] - mean;
      weight_[i + 1] = weight_[i] + points.weight[i];
      sum_[i + 1] = sum_[i] + points.weight[i] * value;
      square_[i + 1] = square_[i] + points.weight[i] * value * value;
    }
  }

  // First point of each of the k intervals.
  std::vector<size_t> Cut(int k) {
    best_.resize(n_);
    for (size_t i = 0; i < n_; ++i) best_[i] = Cost(0, i);
    std::vector<std::vector<uint32_t>> first(static_cast<size_t>(k));
    for (int row = 1; row < k; ++row) {
      next_.assign(n_, 0);
      first_ = &first[static_cast<size_t>(row)];
      first_->assign(n_, 0);
      Fill(static_cast<size_t>(row), 0, n_ - 1, static_cast<size_t>(row), n_ - 1);
      std::swap(best_, next_);
    }
    std::vector<size_t> starts(static_cast<size_t>(k), 0);
    size_t end = n_ - 1;
    for (int row = k - 1; row > 0; --row) {
      starts[static_cast<size_t>(row)] = first[static_cast<size_t>(row)][end];
      end = starts[static_cast<size_t>(row)] - 1;
    }
    return starts;
  }

 private:
  // Sum of squared distances of points first ... last to their mean.
  double Cost(size_t first, size_t last) const {
    const double weight = weight_[last + 1] - weight_[first];
    const double sum = sum_[last + 1] - sum_[first];
    return std::max(0.0, square_[last + 1] - square_[first] - sum * sum / weight);
  }

  // next_[i] for low <= i <= high, whose last interval starts within [from, to]. Points before
  // `row` are too few.
  void Fill(size_t row, size_t low, size_t high, size_t from, size_t to) {
    if (low < row) low = row;
    if (low > high) return;
    const size_t middle = low + (high - low) / 2;
    double best = std::numeric_limits<double>::infinity();
    size_t start = std::max(from, row);
    for (size_t j = std::max(from, row); j <= std::min(middle, to); ++j) {
      const double cost = best_[j - 1] + Cost(j, middle);
      if (cost < best) {
        best = cost;
        start = j;
      }
    }
    next_[middle] = best;
    (*first_)[middle] = static_cast<uint32_t>(start);
    if (middle > low) Fill(row, low, middle - 1, from, start);
    Fill(row, middle + 1, high, start, to);
  }

  size_t n_;
  std::vector<double> weight_, sum_, square_;  // of the points before
  std::vector<double> best_, next_;
  std::vector<uint32_t>* first_ = nullptr;
};

}  // namespace

Clusters KMeans1D(std::span<const float> values, int k) {
  Clusters clusters;
  if (values.empty()) return clusters;
  std::vector<float> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  Points points = Distinct(sorted);
  const bool few = points.value.size() <= static_cast<size_t>(k);
  if (!few && points.value.size() > kMaxPoints) points = Thinned(points);
  if (few || points.value.size() <= static_cast<size_t>(k)) {
    for (const double value : points.value) clusters.centers.push_back(static_cast<float>(value));
  } else {
    const std::vector<size_t> starts = Cutter(points).Cut(k);
    for (size_t c = 0; c < starts.size(); ++c) {
      const size_t end = c + 1 < starts.size() ? starts[c + 1] : points.value.size();
      double sum = 0;
      double weight = 0;
      for (size_t i = starts[c]; i < end; ++i) {
        sum += points.weight[i] * points.value[i];
        weight += points.weight[i];
      }
      clusters.centers.push_back(static_cast<float>(sum / weight));
    }
  }
  // Each value goes to its nearest center; the lower one when it lies in the middle.
  std::vector<float> borders;
  for (size_t c = 0; c + 1 < clusters.centers.size(); ++c) {
    borders.push_back(
        static_cast<float>((double{clusters.centers[c]} + clusters.centers[c + 1]) / 2));
  }
  clusters.indices.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto border = std::lower_bound(borders.begin(), borders.end(), values[i]);
    const auto index = static_cast<uint32_t>(border - borders.begin());
    clusters.indices[i] = index;
    const double distance = double{values[i]} - clusters.centers[index];
    clusters.squares += distance * distance;
  }
  return clusters;
}

}  // namespace anemone::compress
