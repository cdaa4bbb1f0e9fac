// Convolution of 8-bit integers over NHWC activations, with exact sums, as conv.h does it in floats.
// Thread rules: pure functions; a PackedInt8Conv is immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cpu/kernels/amx_tile.h"
#include "cpu/kernels/conv.h"
#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/int8_depthwise.h"
#include "cpu/kernels/int8_matrix.h"

namespace anemone::cpu {

// The integers of a convolution's or linear layer's weights. The weight is integer * scale of its
// output channel.
struct Int8Weights {
  std::vector<int8_t> integers;  // as the weight's elements lie, output channels first
  std::vector<float> scale;      // one per output channel
};

// Integers after the last that a product may read.
constexpr int64_t kIntegerSlack = kAmxRowBytes - 1;

// How a product's activations are stored.
struct StoredInput {
  bool bytes = false;
  int zero = 0;  // the number that stands for 0; 0 unless they are bytes
};

class PackedInt8Conv {
 public:
  // The products that it takes: all but depthwise ones of several filters per channel, and
  // reductions so long that sums might not fit.
  static bool CanRun(const ConvShape& shape);

  // `weights`: [out_c, in_c / groups, kernel_h, kernel_w]; the results are sums * in_scale * the
  // channel's scale + bias. `bias`: out_c values, or empty. `input`: what Run gets.
  PackedInt8Conv(const ConvShape& shape, const Int8Weights& weights, float in_scale,
                 const std::vector<float>& bias, const StoredInput& input);
  // The same weights, shared, for images of another size.
  PackedInt8Conv(const ConvShape& shape, const PackedInt8Conv& other);

  // As PackedConv::Run. `in` holds bytes (of 0 to 127 unless TakesAllBytes()) or whole numbers less
  // their zero point, and kIntegerSlack more that can be read.
  void Run(const Source& in, const Destination& out, std::span<const Step> steps,
           ThreadPool& pool) const;

 private:
  struct Weights {
    std::vector<PackedInt8Matrix> groups;
    std::optional<PackedInt8Depthwise> depthwise;
    Floats float_depthwise;
    std::vector<NarrowInt> zeros;
    std::vector<uint8_t> byte_zeros;
    bool padded = false;  // the matrices have whole registers of AMX for each tap
    int zero = 0;
  };

  template <typename Left>
  void RunProducts(const Left* in, const Destination& out, std::span<const Step> steps,
                   Int8TileFunction<Left> compute, ThreadPool& pool) const;
  void RunOnTiles(const uint8_t* in, const Destination& out, std::span<const Step> steps,
                  ThreadPool& pool) const;

  ConvShape shape_;
  ConvMethod method_;
  std::shared_ptr<const Weights> weights_;
};

}  // namespace anemone::cpu
