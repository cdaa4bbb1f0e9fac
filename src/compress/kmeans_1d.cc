#include "compress/kmeans_1d.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "compress/linear_kernels.h"

namespace anemone::compress {
namespace {

using Path = std::vector<uint32_t>;  // nodes 0 ... n of consecutive cluster borders

struct Sums {
  double weight = 0;
  double sum = 0;
  double square = 0;
};
// A candidate for the start of the last interval, the best one for ends from `from` on.
struct Candidate {
  uint32_t start;
  uint32_t from;
};

// Working memory, kept from one tensor to the next: fresh pages cost as much as the work itself.
struct Scratch {
  std::vector<Sums> sums;
  std::vector<double> best;
  std::vector<uint32_t> parent;
  std::vector<Candidate> queue;
  std::vector<uint32_t> even, odd;  // histograms; all 0 between uses
};
Scratch& ScratchOfThread() {
  thread_local Scratch scratch;
  return scratch;
}

// Costs of intervals from sums over prefixes, and the best path for a price on each interval.
class Splitter {
 public:
  Splitter(const WeightedPoints& points, Scratch& scratch)
      : n_(points.value.size()),
        sums_(scratch.sums),
        best_(scratch.best),
        parent_(scratch.parent),
        queue_(scratch.queue) {
    sums_.resize(n_ + 1);
    sums_[0] = {};
    best_.resize(n_ + 1);
    parent_.resize(n_ + 1);
    queue_.resize(n_ + 1);
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
      const double weight = points.weight[i];
      sums_[i + 1] = {sums_[i].weight + weight, sums_[i].sum + weight * value,
                      sums_[i].square + weight * value * value};
    }
  }

  Path Split(size_t k) {
    const double spread = Cost(0, n_);
    double price = 2 * spread / std::pow(static_cast<double>(k), 3);  // of an even spread, roughly
    // On every 2nd, 4th ... node first: that gives the price, nearly, for a fraction of the time.
    size_t stride = 1;
    while (n_ / (stride * 2) >= std::max<size_t>(12 * k, 512)) stride *= 2;
    if (stride > 1) {
      price = Search(k, price, stride).price;
    }
    return Search(k, price, 1).path;
  }

 private:
  struct Found {
    Path path;
    double price = 0;
  };
  // A path with another number of intervals than wanted, and the price that gave it.
  struct Side {
    Path path;
    double cost = 0;
    double price = 0;
  };

  // Sum of squared distances of points first ... last - 1 to their mean.
  double Cost(size_t first, size_t last) const {
    const double weight = sums_[last].weight - sums_[first].weight;
    const double sum = sums_[last].sum - sums_[first].sum;
    return std::max(0.0, sums_[last].square - sums_[first].square - sum * sum / weight);
  }
  double Cost(const Path& path) const {
    double cost = 0;
    for (size_t i = 0; i + 1 < path.size(); ++i) cost += Cost(path[i], path[i + 1]);
    return cost;
  }

  // Whether an interval that starts at `a` beats one that starts at `b` when both end at `end`;
  // without divisions. `best` holds the cost up to each node, less the sum of squares up to there.
  bool Beats(size_t a, size_t b, size_t end) const {
    const Sums& to = sums_[end];
    const double weight_a = to.weight - sums_[a].weight;
    const double weight_b = to.weight - sums_[b].weight;
    const double sum_a = to.sum - sums_[a].sum;
    const double sum_b = to.sum - sums_[b].sum;
    return (best_[a] - best_[b]) * weight_a * weight_b <=
           sum_a * sum_a * weight_b - sum_b * sum_b * weight_a;
  }

  // The cheapest path over nodes 0, stride, 2 stride ... n when each interval costs `price` more.
  // A later start never loses its lead as the end moves on, so each start leads on one range of
  // ends; those ranges are kept in a queue.
  Path Cheapest(double price, size_t stride) {
    const size_t count = (n_ + stride - 1) / stride;  // intervals of nodes
    const auto node = [&](size_t i) { return std::min(i * stride, n_); };
    best_[0] = 0;
    size_t head = 0;
    size_t tail = 0;  // queue_[head ... tail)
    queue_[tail++] = {0, 1};
    for (size_t j = 1; j <= count; ++j) {
      while (head + 1 < tail && queue_[head + 1].from <= j) ++head;
      const size_t start = queue_[head].start;
      const size_t end = node(j);
      const double weight = sums_[end].weight - sums_[start].weight;
      const double sum = sums_[end].sum - sums_[start].sum;
      best_[end] = best_[start] - sum * sum / weight + price;
      parent_[end] = static_cast<uint32_t>(start);
      if (j == count) break;
      // Where this node takes over as a start.
      while (tail > head + 1 && queue_[tail - 1].from > j &&
             Beats(end, queue_[tail - 1].start, node(queue_[tail - 1].from))) {
        --tail;
      }
      const Candidate last = queue_[tail - 1];
      size_t low = std::max<size_t>(last.from, j + 1);  // searched: the first end where it leads
      size_t step = 1;
      while (low <= count && !Beats(end, last.start, node(low))) {
        low += step;
        step *= 2;
      }
      if (step > 1) {
        size_t high = std::min(low, count + 1);
        low -= step / 2;  // does not lead here
        while (high - low > 1) {
          const size_t middle = low + (high - low) / 2;
          (Beats(end, last.start, node(middle)) ? high : low) = middle;
        }
        low = high;
      }
      if (low <= count) {
        queue_[tail++] = {static_cast<uint32_t>(end), static_cast<uint32_t>(low)};
      }
    }
    Path path{static_cast<uint32_t>(n_)};
    while (path.back() != 0) path.push_back(parent_[path.back()]);
    std::reverse(path.begin(), path.end());
    return path;
  }

  // A path of exactly k intervals from one with fewer and one with more, all equally good at one
  // price: along `few` to a place where one of its intervals holds one of `many`, then along
  // `many`.
  static Path Join(const Path& few, const Path& many, size_t k) {
    const size_t skip = many.size() - 1 - k;
    size_t i = 0;
    while (few[i + 1] < many[i + skip + 1]) ++i;
    Path path(few.begin(), few.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    path.insert(path.end(), many.begin() + static_cast<std::ptrdiff_t>(i + skip + 1), many.end());
    return path;
  }

  // The best path of k intervals; the number of nodes allows as many.
  Found Search(size_t k, double price, size_t stride) {
    Side few;            // the most intervals seen that are too few
    Side many;           // the fewest seen that are too many
    double push = 1.01;  // grows, so that a price on the other side is soon found
    bool chord = false;  // the price is that at which both sides are equally good
    for (int turn = 0;; ++turn) {
      Path path = Cheapest(price, stride);
      const size_t count = path.size() - 1;
      if (count == k) return {std::move(path), price};
      Side& side = count < k ? few : many;
      const bool between = !few.path.empty() && !many.path.empty();
      if (between && (path.size() <= few.path.size() || path.size() >= many.path.size())) {
        // No count in between is better at a price at which both are alike: any joins them.
        if (chord) return {Join(few.path, many.path, k), price};
        side.price = price;
      } else if (count < k && price == 0) {
        // Only cuts that gain nothing are left.
        while (path.size() <= k) Refine(&path);
        return {std::move(path), 0};
      } else {
        side = {std::move(path), 0, price};
        side.cost = Cost(side.path);
      }
      // The loss falls with the square of the number of clusters, so the price with its cube.
      const double ratio = static_cast<double>(count) / static_cast<double>(k);
      const double guess = price * std::clamp(ratio * ratio * ratio, 1e-6, 1e6);
      if (few.path.empty() || many.path.empty()) {
        price = guess * (count < k ? 1 / push : push);
        push *= 1.5;
        if (count < k && price < few.cost * 1e-18) price = 0;
        continue;
      }
      // The guess is near, the chord is sure: in turn.
      chord = turn % 2 != 0 || !(guess > many.price && guess < few.price);
      price = chord
                  ? (few.cost - many.cost) / static_cast<double>(many.path.size() - few.path.size())
                  : guess;
    }
  }

  static void Refine(Path* path) {
    for (size_t i = 0; i + 1 < path->size(); ++i) {
      if ((*path)[i + 1] - (*path)[i] > 1) {
        path->insert(path->begin() + static_cast<std::ptrdiff_t>(i) + 1, (*path)[i] + 1);
        return;
      }
    }
  }

  size_t n_;
  std::vector<Sums>& sums_;  // of the points before each node
  std::vector<double>& best_;
  std::vector<uint32_t>& parent_;
  std::vector<Candidate>& queue_;
};

constexpr size_t kMaxPoints = size_t{1} << 20;

// Neighbours that fall into the same 2^-20 of the range become their mean.
WeightedPoints Thinned(WeightedPoints all) {
  if (all.value.size() <= kMaxPoints) return all;
  WeightedPoints points;
  const double low = all.value.front();
  const double step = (all.value.back() - low) / static_cast<double>(kMaxPoints);
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

std::vector<float> CentersOf(const WeightedPoints& points, int k, DType dtype) {
  std::vector<float> centers;
  const std::vector<uint32_t> starts = SplitIntoClusters(points, k);
  for (size_t c = 0; c < starts.size(); ++c) {
    const size_t end = c + 1 < starts.size() ? starts[c + 1] : points.value.size();
    double sum = 0;
    double weight = 0;
    for (size_t i = starts[c]; i < end; ++i) {
      sum += points.weight[i] * points.value[i];
      weight += points.weight[i];
    }
    centers.push_back(static_cast<float>(sum / weight));
  }
  if (dtype == DType::kFp16) RoundToHalf(centers);
  return centers;
}

// Walks over ascending values and gives the nearest center of each; the lower one in the middle.
class Nearest {
 public:
  explicit Nearest(const std::vector<float>& centers) : centers_(centers) {}
  size_t Of(float value) {
    while (at_ + 1 < centers_.size() &&
           double{value} * 2 > double{centers_[at_]} + double{centers_[at_ + 1]}) {
      ++at_;
    }
    return at_;
  }

 private:
  const std::vector<float>& centers_;
  size_t at_ = 0;
};

// Bits of a float in an order that is that of the values.
uint32_t OrderedBits(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
float FromOrderedBits(uint32_t bits) {
  return std::bit_cast<float>((bits & 0x80000000u) != 0 ? bits & 0x7fffffffu : ~bits);
}

// Ascending copy: radix sort, 11 bits at a time.
std::vector<float> Sorted(std::span<const float> values) {
  constexpr size_t kBins = 2048;
  constexpr int kShifts[] = {0, 11, 22};
  std::vector<uint32_t> keys(values.size());
  std::array<std::vector<uint32_t>, 3> counts;
  counts.fill(std::vector<uint32_t>(kBins, 0));
  for (size_t i = 0; i < values.size(); ++i) {
    keys[i] = OrderedBits(values[i]);
    for (size_t pass = 0; pass < 3; ++pass) ++counts[pass][(keys[i] >> kShifts[pass]) % kBins];
  }
  std::vector<uint32_t> other(keys.size());
  for (size_t pass = 0; pass < 3; ++pass) {
    std::exclusive_scan(counts[pass].begin(), counts[pass].end(), counts[pass].begin(), 0u);
    for (const uint32_t key : keys) other[counts[pass][(key >> kShifts[pass]) % kBins]++] = key;
    keys.swap(other);
  }
  std::vector<float> sorted(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) sorted[i] = FromOrderedBits(keys[i]);
  return sorted;
}

WeightedPoints Distinct(std::span<const float> values, std::span<const float> importance) {
  WeightedPoints points;
  const auto add = [&](double value, double weight) {
    if (weight <= 0) return;
    if (!points.value.empty() && points.value.back() == value) {
      points.weight.back() += weight;
      return;
    }
    points.value.push_back(value);
    points.weight.push_back(weight);
  };
  if (importance.empty()) {
    for (const float value : Sorted(values)) add(value, 1);
    return points;
  }
  std::vector<uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return values[a] != values[b] ? values[a] < values[b] : a < b;
  });
  for (const uint32_t i : order) add(values[i], importance[i]);
  return points;
}

constexpr size_t kHalves = 65536;

// The finite halves in ascending order.
struct HalfAtRank {
  uint16_t bits;
  float value;
};
const std::vector<HalfAtRank>& AscendingHalves() {
  static const std::vector<HalfAtRank> table = [] {
    constexpr int kInfinity = 0x7c00;
    std::vector<HalfAtRank> halves;
    halves.reserve(size_t{2} * kInfinity);
    for (int bits = 0x8000 + kInfinity - 1; bits >= 0x8000; --bits)
      halves.push_back({static_cast<uint16_t>(bits), HalfToFloat(static_cast<uint16_t>(bits))});
    for (int bits = 0; bits < kInfinity; ++bits)
      halves.push_back({static_cast<uint16_t>(bits), HalfToFloat(static_cast<uint16_t>(bits))});
    return halves;
  }();
  return table;
}

// Those of them up to a magnitude: most weights stay well below 1, and need half of all.
std::span<const HalfAtRank> AscendingHalvesUpTo(uint16_t magnitude) {
  constexpr size_t kLargest = 0x7bff;
  const size_t most = std::min<size_t>(magnitude, kLargest);
  return std::span(AscendingHalves()).subspan(kLargest - most, 2 * (most + 1));
}

}  // namespace

std::vector<uint32_t> SplitIntoClusters(const WeightedPoints& points, int k) {
  std::vector<uint32_t> starts;
  const size_t n = points.value.size();
  if (n <= static_cast<size_t>(k)) {
    for (size_t i = 0; i < n; ++i) starts.push_back(static_cast<uint32_t>(i));
    return starts;
  }
  Scratch& scratch = ScratchOfThread();
  starts = Splitter(points, scratch).Split(static_cast<size_t>(k));
  constexpr size_t kKept = size_t{1} << 17;
  if (n > kKept) scratch = {};
  starts.pop_back();
  return starts;
}

Clusters KMeans1D(std::span<const float> values, int k, DType dtype,
                  std::span<const float> importance) {
  Clusters clusters;
  if (values.empty()) return clusters;
  WeightedPoints points = Distinct(values, importance);
  // Nothing counts: then all count alike.
  if (points.value.empty()) points = Distinct(values, {});
  clusters.centers = CentersOf(Thinned(std::move(points)), k, dtype);
  std::vector<double> borders;
  for (size_t c = 0; c + 1 < clusters.centers.size(); ++c) {
    borders.push_back((double{clusters.centers[c]} + clusters.centers[c + 1]) / 2);
  }
  clusters.indices.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto border = std::lower_bound(borders.begin(), borders.end(), double{values[i]});
    const auto index = static_cast<size_t>(border - borders.begin());
    clusters.indices[i] = static_cast<uint8_t>(index);
    const double distance = std::abs(double{values[i]} - clusters.centers[index]);
    clusters.squares += distance * distance;
    clusters.largest = std::max(clusters.largest, distance);
  }
  return clusters;
}

Clusters KMeans1D(std::span<const Half> values, int k, std::span<const float> importance) {
  Clusters clusters;
  if (values.empty()) return clusters;
  const std::span<const HalfAtRank> occurring = AscendingHalvesUpTo(LargestMagnitude(values));
  // Two histograms in turn: the same value twice running does not wait for itself.
  std::vector<uint32_t> even = std::move(ScratchOfThread().even);
  std::vector<uint32_t> odd = std::move(ScratchOfThread().odd);
  even.resize(kHalves, 0);
  odd.resize(kHalves, 0);
  for (size_t i = 0; i + 1 < values.size(); i += 2) {
    ++even[values[i].bits];
    ++odd[values[i + 1].bits];
  }
  if (values.size() % 2 != 0) ++even[values.back().bits];
  std::vector<double> weights;
  if (!importance.empty()) {
    weights.assign(kHalves, 0);
    for (size_t i = 0; i < values.size(); ++i) weights[values[i].bits] += importance[i];
    if (std::all_of(weights.begin(), weights.end(), [](double w) { return w <= 0; }))
      weights.clear();
  }
  WeightedPoints points;
  for (const auto& [bits, value] : occurring) {
    const uint32_t count = even[bits] + odd[bits];
    if (count == 0) continue;
    const double weight = weights.empty() ? count : weights[bits];
    if (weight <= 0) continue;
    if (!points.value.empty() && points.value.back() == value) {  // the two zeros
      points.weight.back() += weight;
    } else {
      points.value.push_back(value);
      points.weight.push_back(weight);
    }
  }
  clusters.centers = CentersOf(points, k, DType::kFp16);
  std::vector<uint8_t> index_of(kHalves, 0);
  Nearest nearest(clusters.centers);
  for (const auto& [bits, value] : occurring) {
    const uint32_t count = even[bits] + odd[bits];
    if (count == 0) continue;
    const size_t index = nearest.Of(value);
    index_of[bits] = static_cast<uint8_t>(index);
    const double distance = std::abs(double{value} - clusters.centers[index]);
    clusters.squares += count * distance * distance;
    clusters.largest = std::max(clusters.largest, distance);
    even[bits] = odd[bits] = 0;
  }
  ScratchOfThread().even = std::move(even);
  ScratchOfThread().odd = std::move(odd);
  clusters.indices.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) clusters.indices[i] = index_of[values[i].bits];
  return clusters;
}

}  // namespace anemone::compress
