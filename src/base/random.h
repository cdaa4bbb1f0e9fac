// Random: a small counter-based generator (SplitMix64) whose sequence is the same on every
// platform. For seeded weights, synthetic inputs and tests; not for secrets. Thread rules: a value;
// share by copying.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace anemone {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  // Each name has its own stream, so that adding a tensor does not change the others.
  Random(uint64_t seed, std::string_view stream);

  uint64_t NextBits();
  // Uniform in [0, 1), 24 bits.
  float Uniform();
  // Standard normal: the sum of 12 uniforms less 6 (Irwin-Hall). Only additions of exact values, so
  // every platform gives the same bits; tails end at +-6.
  float Normal();
  void FillNormal(std::span<float> out, float mean, float deviation);
  void FillUniform(std::span<float> out, float low, float high);

 private:
  uint64_t state_;
};

}  // namespace anemone
