// Convolution and linear layers with products of bfloat16 numbers, summed in float32: activations and
// weights are rounded to 8 significant bits, ties to even, and nothing else is. Layouts as in conv.h.
// Thread rules: pure functions; a PackedBf16Conv is immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "cpu/kernels/buffer.h"
#include "cpu/kernels/conv.h"
#include "cpu/kernels/dot_tile.h"

namespace anemone::cpu {

class PackedBf16Conv {
 public:
  // Whether the level in use has the instructions, and the shape is none for which floats are better:
  // depthwise, or of groups.
  static bool CanRun(const ConvShape& shape);

  // As PackedConv.
  PackedBf16Conv(const ConvShape& shape, const float* weights, const float* bias);
  // The same weights, shared, for images of another size.
  PackedBf16Conv(const ConvShape& shape, const PackedBf16Conv& other);

  // As PackedConv::Run; `scratch` has room for ScratchFloats().
  void Run(const float* in, const Destination& out, float* scratch, std::span<const Step> steps,
           ThreadPool& pool) const;
  int64_t ScratchFloats() const;

 private:
  struct Weights {
    Aligned<Bf16> panels;  // for each panel, tap and pair of channels: the pair for each column
    Floats bias;
    Aligned<Bf16> zeros;
    bool whole_registers = false;  // channels are padded to those of AMX
  };

  int64_t Piece() const;  // neighbors that a tap has
  int64_t Taps() const;
  Bf16TileArgs PanelArgs(int64_t panel) const;
  void RunOnVectors(const Bf16* in, const Destination& out, std::span<const Step> steps,
                    ThreadPool& pool) const;
  void RunOnTiles(const Bf16* in, const Destination& out, std::span<const Step> steps,
                  ThreadPool& pool) const;

  int64_t channels_ = 0;  // as the input has them
  ConvShape shape_;       // with the channels padded
  ConvMethod method_ = ConvMethod::kIndirect;
  std::shared_ptr<const Weights> weights_;
};

}  // namespace anemone::cpu
