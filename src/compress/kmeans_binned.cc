#include "compress/kmeans_binned.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "base/dtype.h"
#include "compress/linear_kernels.h"

namespace anemone::compress {
namespace {

struct WeightedBin {
  double sum = 0;
  uint64_t count = 0;
};

// The values below a point on the line.
struct Below {
  double sum = 0;
  uint64_t count = 0;
};

// The exponent of the largest magnitude after scaling. The lower it is, the fewer bins there are,
// because values 14 octaves below 2^0 have bins of even width.
constexpr int kFewBins = -10;  // about 10,000
constexpr int kMoreBins = -6;  // about 18,000
constexpr int kMostBins = 14;  // about 60,000

class BinnedValues {
 public:
  BinnedValues(std::span<const float> values, int exponent)
      : values_(values), zero_((static_cast<uint32_t>(exponent) + 15 + 1) << 10) {
    // Scaling changes no digit, and nothing overflows.
    const float largest = std::bit_cast<float>(LargestMagnitude(values));
    constexpr int kMostOfFloat = 127;
    scale_ = std::ldexp(
        1.0, std::min(kMostOfFloat, exponent - (largest == 0 ? 0 : std::ilogb(largest))));
    RoundToBins();
    Count();
  }

  size_t bins() const { return keys_.size(); }

  // Clusters of whole bins: the first bin of each.
  std::vector<uint32_t> SplitBins(int k) const {
    WeightedPoints points;
    points.value.reserve(bins());
    points.weight.reserve(bins());
    for (size_t i = 0; i < bins(); ++i) {
      const auto count = static_cast<double>(below_[i + 1].count - below_[i].count);
      points.value.push_back((below_[i + 1].sum - below_[i].sum) / count);
      points.weight.push_back(count);
    }
    return SplitIntoClusters(points, k);
  }

  // Means of the clusters once no border gains by moving.
  std::vector<float> Means(std::span<const uint32_t> starts) {
    Gather(starts);
    std::vector<Below> borders;  // of the clusters, with both ends
    for (const uint32_t start : starts) borders.push_back(below_[start]);
    borders.push_back(below_.back());
    std::vector<double> means(starts.size());
    constexpr int kTurns = 100;  // far more than needed
    for (int turn = 0; turn < kTurns; ++turn) {
      for (size_t c = 0; c < means.size(); ++c) {
        const uint64_t count = borders[c + 1].count - borders[c].count;
        if (count != 0)
          means[c] = (borders[c + 1].sum - borders[c].sum) / static_cast<double>(count);
      }
      bool moved = false;
      for (size_t c = 1; c < means.size(); ++c) {
        const Below found = BelowOf((means[c - 1] + means[c]) / 2);
        moved = moved || found.count != borders[c].count;
        borders[c] = found;
      }
      if (!moved) break;
    }
    std::vector<float> result(means.begin(), means.end());
    return result;
  }

  // Gives every value its nearest center; the lower one in a tie.
  void Assign(Clusters* clusters) const {
    const std::vector<float>& centers = clusters->centers;
    // The largest float on the lower side of each border, and a last border above everything.
    std::vector<float> borders;
    for (size_t c = 0; c + 1 < centers.size(); ++c) {
      const double middle = (double{centers[c]} + centers[c + 1]) / 2;
      auto border = static_cast<float>(middle);
      if (border > middle) border = std::nextafter(border, -std::numeric_limits<float>::infinity());
      borders.push_back(border);
    }
    borders.push_back(std::numeric_limits<float>::infinity());
    // For each bin the borders before it; it usually holds none or one.
    std::vector<uint8_t> first(2 * size_t{zero_} + 1, 0);
    size_t most = 1;
    size_t next = 0;
    for (const uint16_t key : keys_) {
      while (next + 1 < borders.size() && KeyOf(borders[next]) < key) ++next;
      first[key] = static_cast<uint8_t>(next);
      size_t inside = next;
      while (inside + 1 < borders.size() && KeyOf(borders[inside]) == key) ++inside;
      most = std::max(most, inside - next);
    }
    clusters->indices.resize(values_.size());
    // Several independent sums, which do not wait for each other.
    constexpr size_t kChains = 4;
    double squares[kChains] = {};
    float largest[kChains] = {};
    const auto assign = [&](size_t i, double& square, float& far) {
      const float value = values_[i];
      size_t index = first[rounded_[i]];
      for (size_t more = 0; more < most; ++more) index += value > borders[index] ? 1 : 0;
      clusters->indices[i] = static_cast<uint8_t>(index);
      const float distance = value - centers[index];
      square += double{distance} * distance;
      far = std::max(far, std::abs(distance));
    };
    size_t i = 0;
    for (; i + kChains <= values_.size(); i += kChains) {
      assign(i, squares[0], largest[0]);
      assign(i + 1, squares[1], largest[1]);
      assign(i + 2, squares[2], largest[2]);
      assign(i + 3, squares[3], largest[3]);
    }
    for (; i < values_.size(); ++i) assign(i, squares[0], largest[0]);
    for (size_t chain = 0; chain < kChains; ++chain) {
      clusters->squares += squares[chain];
      clusters->largest = std::max(clusters->largest, double{largest[chain]});
    }
  }

 private:
  // The bits of a half in the order of the values: 0 (and -0) is zero_, less is less.
  uint16_t KeyOf(Half half) const {
    // Branch-free, because no processor predicts the signs of weights.
    const uint32_t magnitude = half.bits & 0x7fffu;
    const uint32_t less = 0u - (half.bits >> 15);  // all ones below 0
    return static_cast<uint16_t>(zero_ + ((magnitude ^ less) - less));
  }
  uint16_t KeyOf(double value) const { return KeyOf(Half(static_cast<float>(value * scale_))); }

  void RoundToBins() {
    constexpr size_t kChunk = 2048;
    const auto scale = static_cast<float>(scale_);
    rounded_.resize(values_.size());
    for (size_t begin = 0; begin < values_.size(); begin += kChunk) {
      const size_t count = std::min(kChunk, values_.size() - begin);
      float scaled[kChunk] = {};
      for (size_t i = 0; i < count; ++i) scaled[i] = values_[begin + i] * scale;
      Half halves[kChunk];
      FloatToHalf(std::span<const float>(scaled, count), std::span(halves, count));
      for (size_t i = 0; i < count; ++i) rounded_[begin + i] = KeyOf(halves[i]);
    }
  }

  void Count() {
    std::vector<WeightedBin> table(2 * size_t{zero_} + 1);
    for (size_t i = 0; i < values_.size(); ++i) {
      WeightedBin& bin = table[rounded_[i]];
      bin.sum += double{values_[i]};
      ++bin.count;
    }
    below_.push_back({});
    for (size_t key = 0; key < table.size(); ++key) {
      if (table[key].count == 0) continue;
      keys_.push_back(static_cast<uint16_t>(key));
      below_.push_back(
          {below_.back().sum + table[key].sum, below_.back().count + table[key].count});
    }
  }

  // Collects the values of the bins on both sides of each border.
  void Gather(std::span<const uint32_t> starts) {
    constexpr size_t kReach = 2;
    slots_.assign(2 * size_t{zero_} + 1, 0);
    for (size_t c = 1; c < starts.size(); ++c) {
      const size_t from = starts[c] - std::min<size_t>(starts[c], kReach);
      for (size_t i = from; i < std::min(starts[c] + kReach, bins()); ++i) {
        if (slots_[keys_[i]] != 0) continue;
        collected_.emplace_back().reserve(below_[i + 1].count - below_[i].count);
        slots_[keys_[i]] = static_cast<uint16_t>(collected_.size());
      }
    }
    for (size_t i = 0; i < values_.size(); ++i) {
      if (const uint16_t slot = slots_[rounded_[i]]) collected_[slot - 1].push_back(values_[i]);
    }
  }

  // The values up to `place`; if their bin was not collected, those of the bins before it.
  Below BelowOf(double place) const {
    const uint16_t key = KeyOf(place);
    const auto bin = std::lower_bound(keys_.begin(), keys_.end(), key);
    Below below = below_[static_cast<size_t>(bin - keys_.begin())];
    if (bin == keys_.end() || *bin != key || slots_[key] == 0) return below;
    for (const float value : collected_[slots_[key] - 1]) {
      const bool inside = double{value} <= place;
      below.sum += inside ? double{value} : 0;
      below.count += inside ? 1 : 0;
    }
    return below;
  }

  std::span<const float> values_;
  double scale_ = 1;
  uint32_t zero_;                  // the key of 0
  std::vector<uint16_t> rounded_;  // the bin of each value, as its key
  std::vector<uint16_t> keys_;     // of the bins that hold values, ascending
  std::vector<Below> below_;       // each bin; one more for the end
  std::vector<uint16_t> slots_;    // by key: the place in collected_, + 1; 0: not collected
  std::vector<std::vector<float>> collected_;
};

}  // namespace

std::optional<Clusters> KMeansBinned(std::span<const float> values, int k) {
  // With fewer bins the borders would have too few positions to choose from.
  constexpr size_t kBinsOfACluster = 12;
  constexpr int kManyClusters = 64;
  for (const int exponent : {k < kManyClusters ? kFewBins : kMoreBins, kMostBins}) {
    BinnedValues binned(values, exponent);
    if (binned.bins() < kBinsOfACluster * static_cast<size_t>(k)) continue;
    Clusters clusters;
    clusters.centers = binned.Means(binned.SplitBins(k));
    binned.Assign(&clusters);
    return clusters;
  }
  return std::nullopt;
}

}  // namespace anemone::compress
