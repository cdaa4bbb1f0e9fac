#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

#include "exec/indexing.h"
#include "exec/integer_math.h"
#include "ops/ops.h"

namespace anemone::ops::shape {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;

Status ShapeOf(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  for (size_t i = 0; i < x.shape.size(); ++i) {
    out.As<int32_t>()[i] = static_cast<int32_t>(x.shape[i]);
  }
  return {};
}

// fill and fill_like; the output type gives the shape.
Status Fill(KernelContext& context) {
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  ANEMONE_ASSIGN(ConstTensor value, context.Input("value"));
  return exec::DispatchWidth(out.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    std::fill_n(out.As<T>(), out.count(), value.As<T>()[0]);
    return {};
  });
}

Status Identity(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  return exec::CopyElements(x, out);
}

Status Range(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor start, context.Input("start"));
  ANEMONE_ASSIGN(ConstTensor step, context.Input("step"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const int64_t count = out.count();
  if (out.dtype == DType::kInt32) {
    const int64_t first = start.As<int32_t>()[0];
    const int64_t by = step.As<int32_t>()[0];
    for (int64_t i = 0; i < count; ++i) out.As<int32_t>()[i] = static_cast<int32_t>(first + i * by);
  } else {
    const double first = start.As<float>()[0];
    const double by = step.As<float>()[0];
    for (int64_t i = 0; i < count; ++i) {
      out.As<float>()[i] = static_cast<float>(first + static_cast<double>(i) * by);
    }
  }
  return {};
}

// Random numbers as a function of (seed, index): a hash of both, so that elements do not depend on
// each other, on the order of evaluation or on the machine. The mixing function is that of
// splitmix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(int64_t seed) : seed_(Mix(static_cast<uint64_t>(seed) + kStep)) {}

  // In [0, 1), 53 bits.
  double Uniform(int64_t index) const { return static_cast<double>(Bits(index) >> 11) * 0x1p-53; }
  // Box and Muller's transform of two uniform numbers.
  double Normal(int64_t index) const {
    const double radius =
        std::sqrt(-2.0 * std::log(1.0 - Uniform(2 * index)));  // 1 - u is in (0, 1]
    return radius * std::cos(2.0 * std::numbers::pi * Uniform(2 * index + 1));
  }

 private:
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15u;
  static uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t Bits(int64_t index) const {
    return Mix(seed_ + static_cast<uint64_t>(index + 1) * kStep);
  }

  uint64_t seed_;
};

template <typename Draw>
Status FillRandom(KernelContext& context, Draw draw) {
  ANEMONE_ASSIGN(int64_t seed, context.args().Int("seed"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const Random random(seed);
  const int64_t count = out.count();
  for (int64_t i = 0; i < count; ++i) out.As<float>()[i] = static_cast<float>(draw(random, i));
  return {};
}

Status RandomBernoulli(KernelContext& context) {
  ANEMONE_ASSIGN(double prob, context.args().Float("prob"));
  return FillRandom(context, [=](const Random& random, int64_t i) {
    return random.Uniform(i) < prob ? 1.0 : 0.0;
  });
}

Status RandomNormal(KernelContext& context) {
  ANEMONE_ASSIGN(double mean, context.args().Float("mean"));
  ANEMONE_ASSIGN(double stddev, context.args().Float("stddev"));
  return FillRandom(
      context, [=](const Random& random, int64_t i) { return mean + stddev * random.Normal(i); });
}

Status RandomUniform(KernelContext& context) {
  ANEMONE_ASSIGN(double low, context.args().Float("low"));
  ANEMONE_ASSIGN(double high, context.args().Float("high"));
  return FillRandom(context, [=](const Random& random, int64_t i) {
    return low + (high - low) * random.Uniform(i);
  });
}

Status RandomCategorical(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(std::string mode, context.args().String("mode"));
  ANEMONE_ASSIGN(int64_t seed, context.args().Int("seed"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const Random random(seed);
  const int64_t classes = x.shape.back();
  const int64_t draws = out.shape.back();
  if (out.count() == 0) return {};
  const int64_t rows = out.count() / draws;
  std::vector<double> cumulative(static_cast<size_t>(classes));
  for (int64_t row = 0; row < rows; ++row) {
    const float* weights = x.As<float>() + row * classes;
    const float highest = classes == 0 ? 0 : *std::max_element(weights, weights + classes);
    double total = 0;
    for (size_t i = 0; i < cumulative.size(); ++i) {
      // Any common factor works: the draw is scaled by the total.
      total += mode == "logits" ? std::exp(static_cast<double>(weights[i]) - highest)
                                : std::max(0.0, static_cast<double>(weights[i]));
      cumulative[i] = total;
    }
    for (int64_t i = 0; i < draws; ++i) {
      const double at = random.Uniform(row * draws + i) * total;
      const auto found = std::upper_bound(cumulative.begin(), cumulative.end(), at);
      const int64_t index = std::min<int64_t>(found - cumulative.begin(), classes - 1);
      out.As<float>()[row * draws + i] = static_cast<float>(std::max<int64_t>(index, 0));
    }
  }
  return {};
}

constexpr std::array<KernelEntry, 9> kKernels{{
    {"fill", Fill},
    {"fill_like", Fill},
    {"identity", Identity},
    {"random_bernoulli", RandomBernoulli},
    {"random_categorical", RandomCategorical},
    {"random_normal", RandomNormal},
    {"random_uniform", RandomUniform},
    {"range_1d", Range},
    {"shape", ShapeOf},
}};

}  // namespace

std::span<const KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::shape
