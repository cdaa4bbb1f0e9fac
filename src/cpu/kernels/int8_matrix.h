// A constant matrix of 8-bit integers, packed for the tiles of int8_tile.h at plan time.
// Thread rules: immutable once packed.
#pragma once

#include <cstdint>

#include "cpu/kernels/buffer.h"
#include "cpu/kernels/int8_tile.h"

namespace anemone::cpu {

// How a matrix is packed.
struct Int8Packing {
  int64_t group = kPair;  // or kQuad
  int64_t multiple = 1;   // zeros make the groups of a piece a multiple of this
  int zero = 0;           // the left operand's number that stands for 0
};

class PackedInt8Matrix {
 public:
  PackedInt8Matrix() = default;
  // `b`: B(i, j) = b[j * taps * depth + i] for i < taps * depth and j < n: the left operand's rows come
  // in `taps` pieces of `depth` values. `scale` and `bias`: n values each.
  PackedInt8Matrix(const int8_t* b, int64_t taps, int64_t depth, int64_t n, const Int8Packing& how,
                   const float* scale, const float* bias);

  // What tiles of one panel have in common; `a` is not set.
  template <typename Left>
  Int8TileArgs<Left> PanelArgs(int64_t panel) const {
    const int64_t first = FirstColumn(panel);
    Int8TileArgs<Left> args;
    args.taps = taps_;
    args.groups = groups_;
    args.b = panels_.data() + first * taps_ * groups_ * group_;
    args.panel_width = Width(panel);
    args.start = start_.data() + first;
    args.scale = scale_.data() + first;
    args.bias = bias_.data() + first;
    return args;
  }

  int64_t groups() const { return groups_; }

 private:
  static int64_t FirstColumn(int64_t panel);
  int Width(int64_t panel) const;

  Aligned<int8_t> panels_;
  Aligned<int32_t> start_;  // padded with zeros to whole panels, as scale_ and bias_ are
  Floats scale_;
  Floats bias_;
  int64_t taps_ = 1;
  int64_t groups_ = 0;  // of a piece
  int64_t group_ = kPair;
  int64_t n_ = 0;
};

}  // namespace anemone::cpu
