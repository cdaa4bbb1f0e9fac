#include "compress/kmeans_vectors.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/kmeans_vectors.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::compress {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kLanes = 16;
using Floats = hn::CappedTag<float, kLanes>;

// `columns` holds the vectors by component, each component `stride` floats long, a multiple of 16.
// Every lane is one vector: lanes never mix, so the width of a register does not matter.
void NearestVectors(const float* columns, size_t stride, size_t dim, const float* centers,
                    size_t count, float* best, uint32_t* index) {
  const Floats d;
  const hn::Rebind<uint32_t, Floats> du;
  for (size_t i = 0; i < stride; i += hn::Lanes(d)) {
    auto least = hn::Set(d, std::numeric_limits<float>::infinity());
    auto at = hn::Zero(du);
    for (size_t c = 0; c < count; ++c) {
      auto sum = hn::Zero(d);
      for (size_t v = 0; v < dim; ++v) {
        const auto difference =
            hn::Sub(hn::LoadU(d, columns + v * stride + i), hn::Set(d, centers[c * dim + v]));
        sum = hn::Add(sum, hn::Mul(difference, difference));
      }
      const auto closer = hn::Lt(sum, least);
      least = hn::IfThenElse(closer, sum, least);
      at = hn::IfThenElse(hn::RebindMask(du, closer), hn::Set(du, static_cast<uint32_t>(c)), at);
    }
    hn::StoreU(least, d, best + i);
    hn::StoreU(at, du, index + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::compress
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::compress {
namespace {

constexpr size_t kBlock = 1024;  // vectors at a time, so that their components stay in cache
constexpr int kIterations = 100;
constexpr double kSettled = 1e-5;  // relative fall of the loss that ends the iterations

// Vectors by component, in blocks of kBlock, the last one filled up with zeros.
class Columns {
 public:
  Columns(std::span<const float> vectors, size_t dim) : dim_(dim), count_(vectors.size() / dim) {
    blocks_ = (count_ + kBlock - 1) / kBlock;
    data_.resize(blocks_ * kBlock * dim, 0.0f);
    for (size_t i = 0; i < count_; ++i) {
      for (size_t v = 0; v < dim; ++v)
        data_[(i / kBlock * dim + v) * kBlock + i % kBlock] = vectors[i * dim + v];
    }
  }
  size_t blocks() const { return blocks_; }
  size_t in_block(size_t block) const { return std::min(kBlock, count_ - block * kBlock); }
  const float* block(size_t block) const { return data_.data() + block * kBlock * dim_; }

 private:
  size_t dim_;
  size_t count_;
  size_t blocks_;
  std::vector<float> data_;
};

}  // namespace

HWY_EXPORT(NearestVectors);

namespace {

// Calls fn(vector, distance, index) in order.
template <typename Fn>
void ForEachNearest(const Columns& columns, size_t dim, std::span<const float> centers, Fn&& fn) {
  float best[kBlock];
  uint32_t index[kBlock];
  for (size_t b = 0; b < columns.blocks(); ++b) {
    HWY_DYNAMIC_DISPATCH(NearestVectors)
    (columns.block(b), kBlock, dim, centers.data(), centers.size() / dim, best, index);
    for (size_t i = 0; i < columns.in_block(b); ++i) fn(b * kBlock + i, best[i], index[i]);
  }
}

// Greedy k-means++ (Arthur and Vassilvitskii 2007, with several candidates for each center): a
// vector is drawn with a probability proportional to its distance to the centers so far; of several
// candidates the one that helps most is taken.
std::vector<float> Seeds(const Columns& columns, std::span<const float> vectors, size_t dim,
                         size_t k, std::span<const float> importance, uint64_t seed) {
  const size_t n = vectors.size() / dim;
  Random random(0x616e656d6f6e65 + seed);
  const auto weight = [&](size_t i) { return importance.empty() ? 1.0 : double{importance[i]}; };
  const auto vector = [&](size_t i) { return vectors.subspan(i * dim, dim); };
  std::vector<double> loss(n);
  double total = 0;
  for (size_t i = 0; i < n; ++i) total += loss[i] = weight(i);
  const auto draw = [&](double sum) {
    double left = double{random.Uniform()} * sum;
    size_t last = 0;
    for (size_t i = 0; i < n; ++i) {
      if (loss[i] <= 0) continue;
      last = i;
      left -= loss[i];
      if (left < 0) break;
    }
    return last;
  };
  std::vector<float> centers;
  const auto first = vector(draw(total));
  centers.insert(centers.end(), first.begin(), first.end());
  std::vector<float> nearest(n);
  total = 0;
  ForEachNearest(columns, dim, centers, [&](size_t i, float distance, uint32_t) {
    nearest[i] = distance;
    total += loss[i] = weight(i) * distance;
  });
  const int trials = 2 + static_cast<int>(std::log(static_cast<double>(k)));
  std::vector<float> distances(n);
  std::vector<float> chosen(n);
  while (centers.size() < k * dim && total > 0) {
    double best = std::numeric_limits<double>::infinity();
    size_t pick = 0;
    for (int t = 0; t < trials; ++t) {
      const size_t candidate = draw(total);
      double sum = 0;
      ForEachNearest(columns, dim, vector(candidate), [&](size_t i, float distance, uint32_t) {
        distances[i] = std::min(nearest[i], distance);
        sum += weight(i) * distances[i];
      });
      if (sum < best) {
        best = sum;
        pick = candidate;
        chosen.swap(distances);
      }
    }
    const auto center = vector(pick);
    centers.insert(centers.end(), center.begin(), center.end());
    nearest = chosen;
    total = best;
    for (size_t i = 0; i < n; ++i) loss[i] = weight(i) * nearest[i];
  }
  return centers;
}

}  // namespace

void NearestCenters(std::span<const float> vectors, size_t dim, std::span<const float> centers,
                    std::span<uint8_t> indices, std::span<float> distances) {
  ForEachNearest(Columns(vectors, dim), dim, centers,
                 [&](size_t i, float distance, uint32_t index) {
                   indices[i] = static_cast<uint8_t>(index);
                   distances[i] = distance;
                 });
}

namespace {

struct Attempt {
  VectorClusters clusters;
  double loss = 0;
};

Attempt Cluster(const Columns& columns, std::span<const float> vectors, size_t dim, int k,
                std::span<const float> importance, uint64_t seed) {
  Attempt attempt;
  VectorClusters& result = attempt.clusters;
  const size_t n = vectors.size() / dim;
  // Seeds come from a sample; the iterations see all.
  constexpr size_t kSample = 16384;
  if (n > 2 * kSample) {
    std::vector<float> sample;
    std::vector<float> weights;
    Random random(1 + seed);
    for (size_t i = 0; i < kSample; ++i) {
      const size_t at = random.NextBits() % n;
      sample.insert(sample.end(), vectors.begin() + static_cast<std::ptrdiff_t>(at * dim),
                    vectors.begin() + static_cast<std::ptrdiff_t>((at + 1) * dim));
      if (!importance.empty()) weights.push_back(importance[at]);
    }
    if (std::ranges::any_of(weights, [](float w) { return w > 0; }) || importance.empty()) {
      result.centers =
          Seeds(Columns(sample, dim), sample, dim, static_cast<size_t>(k), weights, seed);
    }
  }
  if (result.centers.empty())
    result.centers = Seeds(columns, vectors, dim, static_cast<size_t>(k), importance, seed);
  const size_t count = result.centers.size() / dim;
  result.indices.resize(n);
  double last = std::numeric_limits<double>::infinity();
  std::vector<double> sums(count * dim);
  std::vector<double> weights(count);
  std::vector<float> best = result.centers;
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    std::ranges::fill(sums, 0.0);
    std::ranges::fill(weights, 0.0);
    double loss = 0;
    double worst = -1;
    size_t farthest = 0;
    ForEachNearest(columns, dim, result.centers, [&](size_t i, float distance, uint32_t index) {
      const double weight = importance.empty() ? 1.0 : double{importance[i]};
      result.indices[i] = static_cast<uint8_t>(index);
      loss += weight * distance;
      if (weight * distance > worst) {
        worst = weight * distance;
        farthest = i;
      }
      weights[index] += weight;
      for (size_t v = 0; v < dim; ++v)
        sums[index * dim + v] += weight * double{vectors[i * dim + v]};
    });
    if (loss < last) best = result.centers;
    const bool settled = loss >= last * (1 - kSettled);
    last = std::min(last, loss);
    bool moved = false;
    for (size_t c = 0; c < count; ++c) {
      if (weights[c] <= 0) {
        if (!moved && worst > 0) {
          std::copy_n(vectors.begin() + static_cast<std::ptrdiff_t>(farthest * dim), dim,
                      result.centers.begin() + static_cast<std::ptrdiff_t>(c * dim));
          moved = true;
        }
        continue;
      }
      for (size_t v = 0; v < dim; ++v)
        result.centers[c * dim + v] = static_cast<float>(sums[c * dim + v] / weights[c]);
    }
    if (!moved && settled) break;
  }
  result.centers = std::move(best);
  attempt.loss = last;
  return attempt;
}

}  // namespace

VectorClusters KMeansVectors(std::span<const float> vectors, size_t dim, int k,
                             std::span<const float> importance) {
  const size_t n = vectors.size() / dim;
  if (n == 0) return {};
  const Columns columns(vectors, dim);
  // The quality of a start is luck, so small problems get more starts.
  constexpr size_t kWork = size_t{1} << 25;
  const uint64_t starts =
      std::clamp<uint64_t>(kWork / (vectors.size() * static_cast<size_t>(k)), 1, 96);
  Attempt best = Cluster(columns, vectors, dim, k, importance, 0);
  for (uint64_t seed = 1; seed < starts; ++seed) {
    Attempt other = Cluster(columns, vectors, dim, k, importance, seed);
    if (other.loss < best.loss) best = std::move(other);
  }
  std::vector<float> distances(n);
  NearestCenters(vectors, dim, best.clusters.centers, best.clusters.indices, distances);
  return std::move(best.clusters);
}

}  // namespace anemone::compress
#endif  // HWY_ONCE
