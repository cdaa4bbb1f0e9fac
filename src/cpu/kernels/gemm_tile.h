// The one inner loop of matrix multiply and convolution: a tile of up to MaxTileRows() x
// PanelWidth() outputs, each accumulated in a register over the whole reduction, in order. So the
// bits of an output depend on its operands only, not on how tiles are cut or spread over threads.
//
// Thread rules: pure functions. PanelWidth and MaxTileRows depend on the machine's SIMD target,
// which only tests change.
#pragma once

#include <cstdint>

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
  // The output, of which rows x columns are written; columns <= panel_width.
  float* c = nullptr;
  int64_t c_stride = 0;
  int rows = 0;
  int columns = 0;
  // Work on the registers: out = clamp(sum + bias + residual).
  const float* residual = nullptr;  // shaped like c, or null
  int64_t residual_stride = 0;
  bool clamp = false;
  float low = 0.0f;
  float high = 0.0f;
};

void ComputeTile(const TileArgs& args);

}  // namespace anemone::cpu
