#include "base/random.h"

namespace anemone {

Random::Random(uint64_t seed, std::string_view stream) : state_(seed) {
  // FNV-1a of the name, mixed with the seed by one step of the generator.
  uint64_t hash = 1469598103934665603ull;
  for (const char c : stream) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  state_ ^= hash;
  state_ = NextBits();
}

uint64_t Random::NextBits() {
  state_ += 0x9E3779B97F4A7C15ull;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

float Random::Uniform() { return static_cast<float>(NextBits() >> 40) * 0x1p-24f; }

float Random::Normal() {
  // Twelve 21-bit uniforms out of four draws; their integer sum is exact.
  uint64_t sum = 0;
  for (int i = 0; i < 4; ++i) {
    const uint64_t bits = NextBits();
    sum += (bits & 0x1FFFFF) + ((bits >> 21) & 0x1FFFFF) + ((bits >> 42) & 0x1FFFFF);
  }
  return (static_cast<float>(static_cast<int64_t>(sum) - 6 * int64_t{0x1FFFFF})) * 0x1p-21f;
}

void Random::FillNormal(std::span<float> out, float mean, float deviation) {
  for (float& value : out) value = mean + deviation * Normal();
}

void Random::FillUniform(std::span<float> out, float low, float high) {
  for (float& value : out) value = low + (high - low) * Uniform();
}

}  // namespace anemone
