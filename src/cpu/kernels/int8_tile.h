// The inner loop of products of 8-bit integers: as gemm_tile.h, with exact sums in 32 bits. Two
// neighbors of the reduction are multiplied and added by one instruction, so the left operand lies
// in memory as 16-bit numbers and the packed right one as pairs of bytes.
//
// Thread rules: pure functions. Panels are as wide as those of gemm_tile.h.
#pragma once

#include <cstdint>

#include "cpu/kernels/tile_epilogue.h"

namespace anemone::cpu {

// The longest reduction whose sums fit 32 bits: a factor of at most 383 (an 8-bit number less its
// zero point) times one of at most 128.
constexpr int64_t kMaxInt8Reduction = 43'000;

struct Int8TileArgs {
  // For each tap and row a pointer to `depth` contiguous values, a[tap * rows + row]. Where depth is
  // odd, one more is read, and multiplied by 0.
  const NarrowInt* const* a = nullptr;
  int64_t taps = 1;
  int64_t depth = 0;
  // The packed panel: for each tap, (depth + 1) / 2 times panel_width pairs.
  const int8_t* b = nullptr;
  int panel_width = 0;
  // panel_width values each: results are sum * scale + bias.
  const float* scale = nullptr;
  const float* bias = nullptr;
};

// Computes a tile of end.rows rows.
using Int8TileFunction = void (*)(const Int8TileArgs& args, const TileEpilogue& end);
// The one for this machine.
Int8TileFunction ChooseInt8Tile();

}  // namespace anemone::cpu
