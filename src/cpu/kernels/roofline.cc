#include "cpu/kernels/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/simd_targets.h"
#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/roofline.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Enough independent sums to hide the latency of a multiply-add on any processor, in the registers of all.
constexpr int kSums = 10;

// Returns the floating-point operations done; `sink` keeps the compiler from leaving them out.
double MultiplyAdds(int64_t rounds, float* sink) {
  const D d;
  const V a = hn::Set(d, *sink), b = hn::Set(d, 0.5f);
  V sums[kSums];
  ANEMONE_UNROLL
  for (int i = 0; i < kSums; ++i) sums[i] = hn::Set(d, static_cast<float>(i));
  for (int64_t round = 0; round < rounds; ++round) {
    ANEMONE_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = hn::MulAdd(sums[i], a, b);
  }
  V all = sums[0];
  for (int i = 1; i < kSums; ++i) all = hn::Add(all, sums[i]);
  *sink = hn::GetLane(hn::SumOfLanes(d, all));
  return 2.0 * kSums * static_cast<double>(rounds) * static_cast<double>(hn::Lanes(d));
}

// The sum of n floats, a whole number of four vectors.
float SumOf(const float* from, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (int64_t i = 0; i + 4 * lanes <= n; i += 4 * lanes) {
    ANEMONE_UNROLL
    for (int v = 0; v < 4; ++v) sums[v] = hn::Add(sums[v], hn::LoadU(d, from + i + v * lanes));
  }
  return hn::GetLane(
      hn::SumOfLanes(d, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))));
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {
namespace {

HWY_EXPORT(MultiplyAdds);
HWY_EXPORT(SumOf);

constexpr int kTries = 8;

// Seconds of the fastest try.
template <typename Body>
double Fastest(const Body& body) {
  using Clock = std::chrono::steady_clock;
  double least = 1e30;
  for (int i = 0; i < kTries; ++i) {
    const auto begin = Clock::now();
    body();
    least = std::min(least, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return least;
}

}  // namespace

Roofline MeasureRoofline(ThreadPool& pool) {
  constexpr int64_t kRounds = 4'000'000;
  constexpr int64_t kFloats = int64_t{64} << 20;
  const int64_t threads = pool.threads();
  const auto multiply = HWY_DYNAMIC_DISPATCH(MultiplyAdds);
  const auto sum = HWY_DYNAMIC_DISPATCH(SumOf);
  std::vector<float> sinks(static_cast<size_t>(threads * 16), 0.25f);
  std::vector<double> operations(static_cast<size_t>(threads));
  Roofline roofline;
  const double computing = Fastest([&] {
    pool.ParallelFor(threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        sinks[static_cast<size_t>(t * 16)] = 0.25f;
        operations[static_cast<size_t>(t)] = multiply(kRounds, &sinks[static_cast<size_t>(t * 16)]);
      }
    });
  });
  roofline.gflops = operations[0] * static_cast<double>(threads) / computing / 1e9;
  const std::vector<float> memory(static_cast<size_t>(kFloats), 1.0f);
  const double reading = Fastest([&] {
    pool.ParallelFor(threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t first = kFloats * t / threads;
        sinks[static_cast<size_t>(t * 16)] =
            sum(memory.data() + first, kFloats * (t + 1) / threads - first);
      }
    });
  });
  roofline.gigabytes_s = static_cast<double>(kFloats * int64_t{sizeof(float)}) / reading / 1e9;
  return roofline;
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
