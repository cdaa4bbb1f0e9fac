// Products on AMX tile registers: 16 rows of 64 bytes times 16 columns, of bytes or of bfloat16 numbers.
// The driver's tile is two of them below and two beside each other.
// Thread rules: pure functions; an AmxTiles belongs to one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {

constexpr int64_t kAmxRows = 16;      // of a register
constexpr int64_t kAmxRowBytes = 64;  // of a register: neighbors of the reduction
constexpr int kAmxPanelWidth = 32;    // columns of a whole panel
constexpr int64_t kAmxMinRows = 16;   // of a product: below, vectors are as fast

// Rows of the left operand, equally far apart.
struct AmxRows {
  const void* base = nullptr;
  int64_t stride_bytes = 0;
};

// How the rows of a product are cut for registers, from TileProblem::max_rows on.
struct AmxCut {
  AmxCut(int64_t m, int64_t max_rows);
  // Of a register: a tile has that many to twice that many rows, and the second register the last ones.
  int rows_each;
};
// The rows of a tile that suit images `width` pixels wide: whole lines, if possible.
int64_t AmxMaxRows(int64_t width);

// Turns pointers to the rows of a tile, pointers[tap * rows + r], into two AmxRows for each tap: the
// first and the last cut.rows_each rows. Rows that are not equally far apart are copied to `copies`.
void CollectAmxRows(const AmxCut& cut, const void* const* pointers, int64_t taps, int rows,
                    int64_t depth_bytes, std::vector<uint8_t>* copies, AmxRows* to);

struct AmxTileArgs {
  int64_t taps = 1;
  int64_t chunks = 0;       // of 64 bytes of a tap
  const void* b = nullptr;  // the packed panel, whose taps are padded with zeros to whole chunks
  int panel_width = 0;
  // panel_width numbers of 32 bits that the sums begin with; null: zeros.
  const void* start = nullptr;
};

// Holds the registers' configuration while it lives. Sums: rows of panel_width.
class AmxTiles {
 public:
  explicit AmxTiles(const AmxCut& cut);
  ~AmxTiles();
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;

  void MultiplyBytes(const AmxTileArgs& args, const AmxRows* a, int rows, int32_t* sums) const;
  void MultiplyBf16(const AmxTileArgs& args, const AmxRows* a, int rows, float* sums) const;

 private:
  [[maybe_unused]] int rows_each_;  // where there is no AMX
};

}  // namespace anemone::cpu
