// The inner loop of matrix multiply and convolution in float32: a tile of up to MaxTileRows() x
// PanelWidth() outputs, each accumulated in a register over the whole reduction, in order. So the
// bits of an output depend on its operands only, not on how tiles are cut or spread over threads.
//
// Thread rules: pure functions. PanelWidth and MaxTileRows depend on the machine's SIMD target,
// which only tests change.
#pragma once

#include <cstdint>

#include "cpu/kernels/tile_epilogue.h"
#include "cpu/kernels/tile_finish.h"

namespace anemone::cpu {

// Columns of a full packed panel: two vectors. The last panel of a matrix may be one vector wide.
int PanelWidth();
int VectorWidth();
int MaxTileRows();

struct TileArgs {
  // The left operand: for each tap and row a pointer to `depth` contiguous values, a[tap * rows +
  // row].
  const float* const* a = nullptr;
  int64_t taps = 1;
  int64_t depth = 0;
  // The packed panel: taps * depth rows of `panel_width` values (PanelWidth() or VectorWidth()),
  // vector-aligned.
  const float* b = nullptr;
  int panel_width = 0;
  const float* bias = nullptr;  // panel_width values
};

// Computes a tile.
struct Tile {
  // Writes `rows` rows of panel_width sums, `stride` apart.
  void (*product)(const TileArgs& args, int rows, float* to, int64_t stride) = nullptr;
  FinishFloatsFunction finish = nullptr;

  void operator()(const TileArgs& args, const TileEpilogue& end) const;
};
// The one for this machine.
Tile ChooseTile();

}  // namespace anemone::cpu
