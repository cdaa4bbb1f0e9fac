// Shared by the kernel tests: seeded data, and running a case on every SIMD target and several
// thread counts.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/simd_level.h"
#include "base/thread_pool.h"
#include "cpu/kernels/conv.h"

namespace anemone::cpu {

inline std::vector<float> RandomFloats(int64_t count, uint32_t seed, float low = -1.0f,
                                       float high = 1.0f) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> value(low, high);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& v : out) v = value(engine);
  return out;
}

// A convolution of two images of size x (size + 1) pixels with square kernels, padded by `pad` on each side.
inline ConvShape SquareConv(int64_t channels, int64_t filters, int64_t kernel, int64_t stride,
                            int64_t pad, int64_t size, int64_t groups = 1, int64_t dilation = 1) {
  ConvShape s;
  s.batch = 2;
  s.in_h = size;
  s.in_w = size + 1;
  s.in_c = channels;
  s.out_c = filters;
  s.kernel_h = s.kernel_w = kernel;
  s.stride_h = s.stride_w = stride;
  s.dilation_h = s.dilation_w = dilation;
  s.pad_top = s.pad_left = pad;
  s.groups = groups;
  const int64_t reach = (kernel - 1) * dilation + 1;
  s.out_h = (s.in_h + 2 * pad - reach) / stride + 1;
  s.out_w = (s.in_w + 2 * pad - reach) / stride + 1;
  return s;
}

// Calls body() once for each level of instructions that this machine can run, which the kernels use
// meanwhile.
template <typename Body>
void ForEachTarget(const Body& body) {
  const std::vector<SimdLevel>& levels = SimdLevels();
  ASSERT_FALSE(levels.empty());
  for (const SimdLevel& level : levels) {
    SCOPED_TRACE(level.name);
    UseSimdLevel(level);
    body();
  }
  UseSimdLevel(levels.back());
}

// Runs body(pool) -> std::vector<float> on every target with 1, 2, 3 and 8 threads: the results of
// one target must have equal bits; calls check(result) once for each target.
template <typename Body, typename Check>
void OnTargetsAndThreads(const Body& body, const Check& check) {
  static ThreadPool one(1), two(2), three(3), eight(8);
  ForEachTarget([&] {
    const std::vector<float> expected = body(one);
    check(expected);
    for (ThreadPool* pool : {&two, &three, &eight}) {
      const std::vector<float> got = body(*pool);
      ASSERT_EQ(got.size(), expected.size());
      if (got.empty()) continue;  // a body that checks for itself
      ASSERT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0)
          << "bits differ with " << pool->threads() << " threads";
    }
  });
}

// Each value within absolute + relative * |expected|.
inline void ExpectClose(const std::vector<float>& got, const std::vector<double>& expected,
                        double absolute, double relative = 0.0) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double limit = absolute + relative * std::abs(expected[i]);
    ASSERT_TRUE(std::abs(got[i] - expected[i]) <= limit)
        << "element " << i << ": " << got[i] << ", expected " << expected[i];
  }
}

// Distance of `got` from `exact` in units of the last place of a float.
inline double UlpError(float got, double exact) {
  const auto nearest = static_cast<float>(exact);
  if (std::isinf(nearest) || std::isinf(got)) return got == nearest ? 0.0 : 1e30;
  const float magnitude = std::max(std::abs(nearest), std::numeric_limits<float>::min());
  const double ulp = std::nextafter(magnitude, std::numeric_limits<float>::infinity()) -
                     static_cast<double>(magnitude);
  return std::abs(got - exact) / ulp;
}

}  // namespace anemone::cpu
