#include "compress/kmeans_1d.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "compress/kmeans_binned.h"
#include "compress/linear_kernels.h"

namespace anemone::compress {
namespace {

using Path = std::vector<uint32_t>;  // nodes 0 ... n of consecutive cluster borders

// The data of a node that a sweep needs, kept together: sums over the points before it.
struct Node {
  double weight = 0;
  double sum = 0;
  double best = 0;  // the cost of the best path up to here, less the sum of squares up to here
};
// A candidate for the start of the last interval, the best one for ends from `from` on.
struct Candidate {
  uint32_t start;
  uint32_t from;
};

// The halves that occur, ascending, -0 as 0; their values and their counts.
struct Occurring {
  std::vector<Half> half;
  std::vector<float> value;
  std::vector<uint32_t> count;
  void Resize(size_t n) {
    half.resize(n);
    count.resize(n);
  }
};

// Working memory, kept between tensors, because fresh pages cost as much as the work itself.
struct Scratch {
  std::vector<Node> nodes;
  std::vector<double> squares;
  std::vector<uint32_t> parent;
  std::vector<Candidate> queue;
  std::vector<uint32_t> even, odd;  // histograms; all 0 between uses
  std::vector<uint16_t> keys, sorted;
  Occurring occurring;
  std::vector<uint8_t> index_of;
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
        nodes_(scratch.nodes),
        squares_(scratch.squares),
        parent_(scratch.parent),
        queue_(scratch.queue) {
    nodes_.resize(n_ + 1);
    nodes_[0] = {};
    squares_.resize(n_ + 1);
    squares_[0] = 0;
    parent_.resize(n_ + 1);
    queue_.resize(n_ + 1);
    // Centered at the mean, the sums of squares lose no digits.
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
      nodes_[i + 1] = {nodes_[i].weight + weight, nodes_[i].sum + weight * value, 0};
      squares_[i + 1] = squares_[i] + weight * value * value;
    }
  }

  Path Split(size_t k) {
    const double spread = Cost(0, n_);
    double price =
        2 * spread / std::pow(static_cast<double>(k), 3);  // roughly that of an even spread
    // First on every 2nd, 4th ... node, which nearly gives the price in a fraction of the time.
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
    const double weight = nodes_[last].weight - nodes_[first].weight;
    const double sum = nodes_[last].sum - nodes_[first].sum;
    return std::max(0.0, squares_[last] - squares_[first] - sum * sum / weight);
  }
  double Cost(const Path& path) const {
    double cost = 0;
    for (size_t i = 0; i + 1 < path.size(); ++i) cost += Cost(path[i], path[i + 1]);
    return cost;
  }

  // Whether an interval that starts at `a` beats one that starts at `b` when both end at `to`;
  // without divisions.
  static bool Beats(const Node& a, const Node& b, const Node& to) {
    const double weight_a = to.weight - a.weight;
    const double weight_b = to.weight - b.weight;
    const double sum_a = to.sum - a.sum;
    const double sum_b = to.sum - b.sum;
    return (a.best - b.best) * weight_a * weight_b <=
           sum_a * sum_a * weight_b - sum_b * sum_b * weight_a;
  }

  // The cheapest path over nodes 0, stride, 2 stride ... n when each interval costs `price` more.
  // A later start never loses its lead as the end advances, so each start leads on one range of
  // ends; those ranges are kept in a queue.
  Path Cheapest(double price, size_t stride) {
    const size_t count = (n_ + stride - 1) / stride;  // intervals of nodes
    const auto place = [&](size_t i) { return std::min(i * stride, n_); };
    nodes_[0].best = 0;
    size_t head = 0;
    size_t tail = 0;  // queue_[head ... tail)
    queue_[tail++] = {0, 1};
    for (size_t j = 1; j <= count; ++j) {
      while (head + 1 < tail && queue_[head + 1].from <= j) ++head;
      const Node& start = nodes_[queue_[head].start];
      const size_t end = place(j);
      Node& node = nodes_[end];
      const double sum = node.sum - start.sum;
      node.best = start.best - sum * sum / (node.weight - start.weight) + price;
      parent_[end] = queue_[head].start;
      if (j == count) break;
      // This node takes over as a start after `low` and not after `high`. A start that it beats at
      // the beginning of that start's range is removed; it had beaten those before it there.
      size_t high = count + 1;
      while (tail > head + 1 && queue_[tail - 1].from > j &&
             Beats(node, nodes_[queue_[tail - 1].start], nodes_[place(queue_[tail - 1].from)])) {
        high = queue_[--tail].from;
      }
      const Node& last = nodes_[queue_[tail - 1].start];
      size_t low = std::max<size_t>(queue_[tail - 1].from, j);
      for (size_t step = 1, probe = low + 1; probe < high; probe += step, step *= 2) {
        if (Beats(node, last, nodes_[place(probe)])) {
          high = probe;
        } else {
          low = probe;
        }
      }
      while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        (Beats(node, last, nodes_[place(middle)]) ? high : low) = middle;
      }
      if (high <= count) queue_[tail++] = {static_cast<uint32_t>(end), static_cast<uint32_t>(high)};
    }
    Path path{static_cast<uint32_t>(n_)};
    while (path.back() != 0) path.push_back(parent_[path.back()]);
    std::reverse(path.begin(), path.end());
    return path;
  }

  // A path of exactly k intervals from one with fewer and one with more, all equally good at
  // one price: along `few` to a node where one of its intervals contains one of `many`, then
  // along `many`.
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
    double push = 1.01;  // grows, to find a price on the other side soon
    bool chord = false;  // both sides are equally good at the price
    for (int turn = 0;; ++turn) {
      Path path = Cheapest(price, stride);
      const size_t count = path.size() - 1;
      if (count == k) return {std::move(path), price};
      Side& side = count < k ? few : many;
      const bool between = !few.path.empty() && !many.path.empty();
      if (between && (path.size() <= few.path.size() || path.size() >= many.path.size())) {
        // At a price where both are equally good, no count in between is better:
        // joining them works.
        if (chord) return {Join(few.path, many.path, k), price};
        side.price = price;
      } else if (count < k && price == 0) {
        // Only cuts without gain are left.
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
      // The guess is near and the chord is certain, so alternate.
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
  std::vector<Node>& nodes_;
  std::vector<double>& squares_;  // sums of squares of the points before each node
  std::vector<uint32_t>& parent_;
  std::vector<Candidate>& queue_;
};

constexpr size_t kMaxPoints = size_t{1} << 20;

// Neighbors within the same 2^-20 of the range are replaced by their mean.
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

// Gives the nearest center of each of ascending values; the lower one in a tie.
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

// Bits of a float that order like the values.
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
constexpr uint16_t kSign = 0x8000;

// Counts all values in a table; the magnitudes are at most `magnitude`. Alternates between two
// tables, so that the same value twice in a row does not wait for itself.
void CountByTable(std::span<const Half> values, uint16_t magnitude, Scratch& scratch) {
  scratch.even.resize(kHalves, 0);
  scratch.odd.resize(kHalves, 0);
  uint32_t* even = scratch.even.data();
  uint32_t* odd = scratch.odd.data();
  for (size_t i = 0; i + 1 < values.size(); i += 2) {
    ++even[values[i].bits];
    ++odd[values[i + 1].bits];
  }
  if (values.size() % 2 != 0) ++even[values.back().bits];
  even[0] += std::exchange(even[kSign], 0);
  odd[0] += std::exchange(odd[kSign], 0);
  // Each is written, and kept when it occurs; about half do, which no branch predicts.
  scratch.occurring.Resize(2 * size_t{magnitude} + 2);
  Half* half_out = scratch.occurring.half.data();
  uint32_t* count_out = scratch.occurring.count.data();
  size_t n = 0;
  const auto take = [&](size_t bits) {
    const uint32_t count = even[bits] + odd[bits];
    half_out[n].bits = static_cast<uint16_t>(bits);
    count_out[n] = count;
    n += count != 0 ? 1 : 0;
  };
  for (size_t bits = size_t{kSign} + magnitude; bits > kSign; --bits) take(bits);
  for (size_t bits = 0; bits <= magnitude; ++bits) take(bits);
  scratch.occurring.Resize(n);
  for (uint32_t* counts : {even, odd}) {
    std::fill_n(counts, size_t{magnitude} + 1, 0u);
    std::fill_n(counts + kSign, size_t{magnitude} + 1, 0u);
  }
}

// The same by sorting, 8 bits at a time: faster for few.
void CountBySorting(std::span<const Half> values, Scratch& scratch) {
  // Keys in the order of the values; its inverse is the same function with the sign flipped.
  const auto key_of = [](uint16_t bits) {
    return static_cast<uint16_t>((bits & kSign) != 0 ? ~bits : bits | kSign);
  };
  const auto bits_of = [](uint16_t key) {
    return static_cast<uint16_t>((key & kSign) != 0 ? key & ~kSign : ~key);
  };
  scratch.keys.resize(values.size());
  scratch.sorted.resize(values.size());
  std::array<std::array<uint32_t, 256>, 2> counts{};
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t bits = values[i].bits == kSign ? uint16_t{0} : values[i].bits;
    scratch.keys[i] = key_of(bits);
    ++counts[0][scratch.keys[i] % 256];
    ++counts[1][scratch.keys[i] / 256];
  }
  for (auto& of_byte : counts)
    std::exclusive_scan(of_byte.begin(), of_byte.end(), of_byte.begin(), 0u);
  for (const uint16_t key : scratch.keys) scratch.sorted[counts[0][key % 256]++] = key;
  for (const uint16_t key : scratch.sorted) scratch.keys[counts[1][key / 256]++] = key;
  scratch.occurring.Resize(values.size());
  size_t n = 0;
  for (size_t i = 0; i < scratch.keys.size();) {
    const uint16_t key = scratch.keys[i];
    const size_t first = i;
    while (i < scratch.keys.size() && scratch.keys[i] == key) ++i;
    scratch.occurring.half[n].bits = bits_of(key);
    scratch.occurring.count[n++] = static_cast<uint32_t>(i - first);
  }
  scratch.occurring.Resize(n);
}

const Occurring& Count(std::span<const Half> values, Scratch& scratch) {
  constexpr size_t kTableFrom = 8192;
  if (values.size() < kTableFrom) {
    CountBySorting(values, scratch);
  } else {
    CountByTable(values, LargestMagnitude(values), scratch);
  }
  scratch.occurring.value.resize(scratch.occurring.half.size());
  HalfToFloat(scratch.occurring.half, scratch.occurring.value);
  return scratch.occurring;
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
  if (n > kKept) scratch = {};  // only of floats: there are fewer halves
  starts.pop_back();
  return starts;
}

Clusters KMeans1D(std::span<const float> values, int k, DType dtype,
                  std::span<const float> importance) {
  Clusters clusters;
  if (values.empty()) return clusters;
  constexpr size_t kBinnedFrom = 8192;
  if (importance.empty() && dtype == DType::kFp32 && values.size() >= kBinnedFrom) {
    if (auto binned = KMeansBinned(values, k)) return std::move(*binned);
  }
  WeightedPoints points = Distinct(values, importance);
  // When no value has importance, all count equally.
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
  Scratch& scratch = ScratchOfThread();
  const Occurring& occurring = Count(values, scratch);
  const size_t different = occurring.half.size();
  std::vector<double> weights;
  if (!importance.empty()) {
    weights.assign(kHalves, 0);
    for (size_t i = 0; i < values.size(); ++i) weights[values[i].bits] += importance[i];
    weights[0] += weights[kSign];
    if (std::all_of(weights.begin(), weights.end(), [](double w) { return w <= 0; }))
      weights.clear();
  }
  WeightedPoints points;
  points.value.reserve(different);
  points.weight.reserve(different);
  for (size_t i = 0; i < different; ++i) {
    const double weight = weights.empty() ? occurring.count[i] : weights[occurring.half[i].bits];
    if (weight <= 0) continue;
    points.value.push_back(occurring.value[i]);
    points.weight.push_back(weight);
  }
  clusters.centers = CentersOf(points, k, DType::kFp16);
  scratch.index_of.resize(kHalves);
  uint8_t* index_of = scratch.index_of.data();
  Nearest nearest(clusters.centers);
  double squares = 0;
  double largest = 0;
  for (size_t i = 0; i < different; ++i) {
    const size_t index = nearest.Of(occurring.value[i]);
    index_of[occurring.half[i].bits] = static_cast<uint8_t>(index);
    const double distance = std::abs(double{occurring.value[i]} - clusters.centers[index]);
    squares += occurring.count[i] * distance * distance;
    largest = std::max(largest, distance);
  }
  clusters.squares = squares;
  clusters.largest = largest;
  index_of[kSign] = index_of[0];
  clusters.indices.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) clusters.indices[i] = index_of[values[i].bits];
  return clusters;
}

}  // namespace anemone::compress
