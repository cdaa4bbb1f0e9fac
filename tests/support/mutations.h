// Damaged variants of a good file, for the tests of readers: every truncation (or a spread of
// them), single bits flipped, and bytes overwritten with values that readers trip over.
// Deterministic: the same input gives the same variants.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

namespace anemone::test {

struct MutationOptions {
  size_t truncations = 400;
  size_t bit_flips = 2000;
  size_t overwrites = 2000;
};

// Multiplies the number of variants: `./dev fuzz` sets ANEMONE_FUZZ_ROUNDS.
inline size_t FuzzRounds() {
  const char* rounds = std::getenv("ANEMONE_FUZZ_ROUNDS");
  return rounds == nullptr ? 1 : std::max<size_t>(1, std::strtoull(rounds, nullptr, 10));
}

// Calls use(variant) for each. The reader under test must return, with a value or an error;
// sanitizers see the rest.
template <typename Use>
void ForEachMutation(std::span<const std::byte> good, const MutationOptions& options, Use use) {
  uint64_t state = 0x9E3779B97F4A7C15u;
  const auto next = [&state] {  // SplitMix64
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  };
  const size_t size = good.size();
  const size_t cuts = std::min(size, options.truncations);
  for (size_t i = 0; i < cuts; ++i) {
    const size_t keep = size <= options.truncations ? i : next() % size;
    use(std::vector<std::byte>(good.begin(), good.begin() + static_cast<ptrdiff_t>(keep)));
  }
  if (size == 0) return;
  const bool every_bit = size * 8 <= options.bit_flips;
  const size_t flips = every_bit ? size * 8 : options.bit_flips * FuzzRounds();
  for (size_t i = 0; i < flips; ++i) {
    const size_t bit = every_bit ? i : next() % (size * 8);
    std::vector<std::byte> bad(good.begin(), good.end());
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    use(std::move(bad));
  }
  constexpr uint8_t kValues[] = {0x00, 0xFF, 0x7F, 0x80, 0x01, '"', '{', '['};
  for (size_t i = 0; i < options.overwrites * FuzzRounds(); ++i) {
    std::vector<std::byte> bad(good.begin(), good.end());
    const size_t at = next() % size;
    const size_t run = std::min<size_t>(size - at, 1 + next() % 8);
    const uint64_t kind = next();
    for (size_t j = 0; j < run; ++j) {
      bad[at + j] = std::byte(kind % 2 == 0 ? kValues[(kind >> 8) % 8] : uint8_t(next()));
    }
    use(std::move(bad));
  }
}

}  // namespace anemone::test
