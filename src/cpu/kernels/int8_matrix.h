// A constant matrix of 8-bit integers, packed for the tiles of int8_tile.h at plan time.
// Thread rules: immutable once packed.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/kernels/buffer.h"
#include "cpu/kernels/int8_tile.h"

namespace anemone::cpu {

class PackedInt8Matrix {
 public:
  PackedInt8Matrix() = default;
  // `b`: B(i, j) = b[j * taps * depth + i] for i < taps * depth and j < n: the left operand's rows come
  // in `taps` pieces of `depth` values. `group`: kPair or kQuad. `scale` and `bias`: n values each.
  PackedInt8Matrix(const int8_t* b, int64_t taps, int64_t depth, int64_t n, int64_t group,
                   const float* scale, const float* bias);

  // What tiles of one panel have in common; `a` is not set.
  template <typename Left>
  Int8TileArgs<Left> PanelArgs(int64_t panel) const {
    const int64_t first = FirstColumn(panel);
    Int8TileArgs<Left> args;
    args.taps = taps_;
    args.depth = depth_;
    args.b = panels_.data() + first * taps_ * groups_ * group_;
    args.panel_width = Width(panel);
    args.scale = scale_.data() + first;
    args.bias = bias_.data() + first;
    return args;
  }

 private:
  static int64_t FirstColumn(int64_t panel);
  int Width(int64_t panel) const;

  std::vector<int8_t> panels_;
  Floats scale_;  // padded with zeros to whole panels, as bias_ is
  Floats bias_;
  int64_t taps_ = 1;
  int64_t depth_ = 0;
  int64_t groups_ = 0;  // of a piece
  int64_t group_ = kPair;
  int64_t n_ = 0;
};

}  // namespace anemone::cpu
