// The inner loop of products of 8-bit integers: as gemm_tile.h, with exact sums in 32 bits. The left
// operand lies in memory as 16-bit numbers, of which one instruction multiplies and adds pairs; or, on
// x86, as bytes, of which it takes four: those of 0 to 127 on any target, all of them where the machine
// has instructions for dot products of bytes (dot_tile.cc).
//
// Thread rules: pure functions. Panels are as wide as those of gemm_tile.h.
#pragma once

#include <cstdint>

#include "cpu/kernels/tile_epilogue.h"
#include "cpu/kernels/tile_finish.h"

namespace anemone::cpu {

// The longest reduction whose sums fit 32 bits: a factor of at most 383 (an 8-bit number less its
// zero point) times one of at most 128.
constexpr int64_t kMaxInt8Reduction = 43'000;

// Neighbors of the reduction that the packed operand keeps together.
constexpr int64_t kPair = 2;
constexpr int64_t kQuad = 4;

template <typename Left>
struct Int8TileArgs {
  // For each tap and row a pointer to `depth` contiguous values, a[tap * rows + row]. Where depth is
  // no multiple of the group (a pair for NarrowInt, a quad for bytes), the rest of the last group is
  // read too, and multiplied by 0.
  const Left* const* a = nullptr;
  int64_t taps = 1;
  int64_t groups = 0;  // of a tap
  // The packed panel: for each tap and group, the group's values for each of panel_width columns.
  const int8_t* b = nullptr;
  int panel_width = 0;
  // panel_width values each: what the sums begin with; results are sum * scale + bias.
  const int32_t* start = nullptr;
  const float* scale = nullptr;
  const float* bias = nullptr;
};

// Computes `rows` rows of panel_width sums.
template <typename Left>
using Int8TileFunction = void (*)(const Int8TileArgs<Left>& args, int rows, int32_t* sums);

// The ones for this machine; ChooseByteTile gives null where bytes are not faster.
Int8TileFunction<NarrowInt> ChooseNarrowTile();
Int8TileFunction<uint8_t> ChooseByteTile();
// Whether the tile of bytes takes those above 127 too.
bool TakesAllBytes();

}  // namespace anemone::cpu
