#include "placement/segmenter_beliefs.h"

#include <algorithm>

namespace anemone::placement {
namespace {

// Bytes and operations for each microsecond, from the answers published for M4:
//   conv 3x3 64->64 at 32x32   ANE 4.67 us, BNNS 100.06: 75.5 MFLOP, 336 kB
//   conv 1x1 64->64 at 32x32   1.17, 21.62: 8.39 MFLOP, 270 kB
//   matmul 128x256x128         2.24, 11.12: 8.39 MFLOP, 164 kB
//   attention 1x8x128x64       7.18, 8.62: 524 kB
//   softmax, layer_norm        3.59, 4.31: 262 kB
//   relu                       2.62, 2.62: 262 kB
//   transpose                  3.81, 3.00: 262 kB
//   concat of channels         2.62, 22.79
//   upsample_bilinear x2       3.31, 499.64: 262144 results
struct Rates {
  double ane_bytes;
  double bnns_bytes;
};
constexpr double kAneFlops = 16.17e6;   // of convolutions and products
constexpr double kBnnsFlops = 754.5e3;  // of convolutions and products
constexpr Rates kMemory{73.02e3, 60.82e3};
constexpr Rates kConv{231.1e3, 12.50e3};
constexpr Rates kRelu{100.06e3, 100.06e3};
constexpr Rates kTranspose{68.80e3, 87.38e3};
constexpr Rates kConcat{100.06e3, 11.50e3};  // of result bytes
constexpr double kAneTextureBytes = 198.0e3;
constexpr double kBnnsBilinearElements = 524.7;
// The classic library: no answer is published; it is never faster than BNNS.
constexpr double kClassicFactor = 2.0;

// Attention alone was seen to go to the Neural Engine from about 2 million elements of each of
// query, key and value on (vx-lang/Vx issue 437): above that the estimate for the CPU must be at
// least this much higher. The size of the step is the smallest round one that explains it.
constexpr double kLargeAttentionBytes = 4 * 2 * 2.0e6;
constexpr double kLargeAttentionFactor = 2.0;

struct Pair {
  double ane;
  double bnns;
};

Pair Memory(double bytes, const Rates& rates) {
  return {bytes / rates.ane_bytes, bytes / rates.bnns_bytes};
}

Pair Roofline(double flops, double bytes, const Rates& rates) {
  return {std::max(flops / kAneFlops, bytes / rates.ane_bytes),
          std::max(flops / kBnnsFlops, bytes / rates.bnns_bytes)};
}

Pair Believed(const Work& work, BeliefKind kind) {
  const auto bytes = static_cast<double>(work.bytes());
  const auto flops = static_cast<double>(work.flops);
  switch (kind) {
    case BeliefKind::kConv:
      return Roofline(flops, bytes, kConv);
    case BeliefKind::kMatmul:
      return Roofline(flops, bytes, kMemory);
    case BeliefKind::kRelu:
      return Memory(bytes, kRelu);
    case BeliefKind::kTranspose:
      return Memory(bytes, kTranspose);
    case BeliefKind::kConcat:
      return Memory(static_cast<double>(work.output_bytes), kConcat);
    case BeliefKind::kBilinear:
      return {bytes / kAneTextureBytes,
              static_cast<double>(work.output_elements) / kBnnsBilinearElements};
    case BeliefKind::kAttention: {
      Pair pair = Memory(bytes, kMemory);
      if (bytes >= kLargeAttentionBytes) pair.bnns *= kLargeAttentionFactor;
      return pair;
    }
    case BeliefKind::kUnset:
    case BeliefKind::kMemory:
    case BeliefKind::kClassicCpu:
    case BeliefKind::kNone:
      break;
  }
  return Memory(bytes, kMemory);
}

}  // namespace

EngineBeliefs BeliefsOf(const Work& work, const OpPlacement& placement) {
  const Pair pair = Believed(work, placement.belief);
  const bool classic_only = placement.belief == BeliefKind::kClassicCpu;
  EngineBeliefs beliefs;
  if (placement.ane.expected) beliefs.ane_us = pair.ane;
  if (!classic_only) beliefs.bnns_us = pair.bnns;
  beliefs.classic_us = classic_only ? pair.bnns : kClassicFactor * pair.bnns;
  return beliefs;
}

}  // namespace anemone::placement
