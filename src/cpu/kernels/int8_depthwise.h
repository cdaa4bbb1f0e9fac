// Depthwise convolution of bytes with exact sums, where the machine has dot products of them; elsewhere depthwise.h
// does it in floats. Thread rules: pure functions; a PackedInt8Depthwise is immutable.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/kernels/buffer.h"
#include "cpu/kernels/conv.h"
#include "cpu/kernels/tile_epilogue.h"

namespace anemone::cpu {

class PackedInt8Depthwise {
 public:
  // Undilated, of a common kernel width, one filter per channel.
  static bool CanRun(const ConvShape& shape);

  // `weights`: [channels, taps]; results are sums * scale + bias of the channel. Bytes of `zero` stand for 0.
  PackedInt8Depthwise(const ConvShape& shape, const std::vector<int8_t>& weights,
                      const std::vector<float>& scale, const std::vector<float>& bias, int zero);

  // For images of any size; as PackedInt8Conv::Run.
  void Run(const ConvShape& shape, const uint8_t* in, const Destination& out,
           std::span<const Step> steps, ThreadPool& pool) const;

 private:
  struct Block {
    int64_t first = 0;  // channel
    int64_t channels = 0;
    Aligned<int8_t> weights;  // as DepthwiseDotArgs has them
    Aligned<int32_t> start;
  };
  std::vector<Block> blocks_;
  Floats scale_;  // padded to whole panels, as bias_ is
  Floats bias_;
  std::vector<uint8_t> zeros_;
  int64_t groups_ = 0;  // of rows of the kernel
};

}  // namespace anemone::cpu
