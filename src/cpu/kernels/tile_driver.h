// Cuts a product (or several of equal size: the groups of a convolution) into tiles and spreads
// them over threads, whatever its elements are. Internal to the kernels; tile_epilogue.h describes
// what happens to the results of a tile.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/kernels/buffer.h"
#include "cpu/kernels/gemm_tile.h"
#include "cpu/kernels/tile_epilogue.h"

namespace anemone::cpu {

struct TileProblem {
  int64_t m = 0;
  int64_t n = 0;  // columns of each group
  int64_t k = 0;  // of the reduction: taps * depth
  int64_t taps = 1;
  int64_t groups = 1;
  Destination out;  // group g writes columns [g * n, (g + 1) * n)
  int64_t out_stride = 0;
  std::span<const Step> steps;
  int64_t a_bytes = 0;  // about how much of A one group reads: decides what to keep in cache
  int64_t element_bytes = sizeof(float);  // of A and B
  int64_t max_rows = MaxTileRows();       // of a tile
};

// The steps that a tile applies in its registers, and those left for afterwards.
struct TileSteps {
  TileSteps(std::span<const Step> steps, const Destination& out);
  std::array<const Step*, TileEpilogue::kMaxSteps> in_tile;
  int count = 0;
  const Step* quantize = nullptr;  // in the tile: its results are narrow
  std::span<const Step> rest;      // the last of them quantizes where the results are narrow
  // Of all steps, where the tile takes them and `quantize`.
  std::optional<Requantization> requantization;
};

// How the tiles of one group are dealt out.
struct TileCut {
  TileCut(const TileProblem& problem, const TileSteps& steps, int threads);
  int64_t row_tiles;  // tile t covers rows [m * t / row_tiles, m * (t + 1) / row_tiles)
  int64_t panels;
  int64_t row_chunks;  // tasks per group: row_chunks x panel_chunks
  int64_t panel_chunks;
  int64_t block_tiles;  // row tiles whose part of A is kept in cache while panels pass
  int64_t grain;        // tasks that are worth a thread

  int64_t RowBegin(const TileProblem& problem, int64_t tile) const {
    return problem.m * tile / row_tiles;
  }
};

// Rows of one group and columns within it that are computed before the rest of the steps pass over
// them.
struct TileBlock {
  int64_t group = 0;
  int64_t row = 0;
  int64_t rows = 0;
  int64_t panel_begin = 0;
  int64_t panel_end = 0;
  // Floats that wait for the rest of the steps where the results are narrow, rows x columns; null
  // where results go to their place.
  float* waiting = nullptr;

  int64_t column(const TileProblem& problem) const;  // of the output
  int64_t columns(const TileProblem& problem) const;
};

// What is to be done with the first tile of the block in the panel's columns; its rows are not set.
TileEpilogue EpilogueAt(const TileProblem& problem, const TileSteps& steps, const TileBlock& block,
                        int64_t panel);
// Applies the rest of the steps to a block whose tiles are done.
void FinishBlock(const TileProblem& problem, const TileSteps& steps, const TileBlock& block);

// Memory for the block's waiting floats, of this thread; null where none is needed.
float* WaitingFloats(const TileProblem& problem, const TileSteps& steps, const TileCut& cut);

// Packed width of a panel of a matrix of n columns.
int PanelWidthAt(int64_t n, int64_t panel);

// Fill(group, row, rows, slot, out) sets out[tap * rows + r] for `rows` rows from `row` on; `slot`
// counts the tiles of a block, so that a Fill with scratch memory can keep block_tiles of them.
// Multiply(group, panel) gives a function of (a, epilogue) that computes a tile of those pointers. A
// Place is such a pointer, or what else says where rows lie, of which a tile may have taps * rows.
template <typename Place, typename Fill, typename Multiply>
void RunTiles(const TileProblem& problem, ThreadPool& pool, const Fill& fill,
              const Multiply& multiply) {
  if (problem.m <= 0 || problem.groups <= 0) return;
  const TileSteps steps(problem.steps, problem.out);
  const TileCut cut(problem, steps, pool.threads());
  const int64_t tasks = problem.groups * cut.row_chunks * cut.panel_chunks;
  pool.ParallelFor(tasks, cut.grain, [&](int64_t first, int64_t last) {
    thread_local std::vector<Place> pointers;
    pointers.resize(static_cast<size_t>(cut.block_tiles * problem.max_rows * problem.taps));
    TileBlock block;
    block.waiting = WaitingFloats(problem, steps, cut);
    for (int64_t task = first; task < last; ++task) {
      block.group = task / (cut.row_chunks * cut.panel_chunks);
      const int64_t row_chunk = task / cut.panel_chunks % cut.row_chunks;
      const int64_t panel_chunk = task % cut.panel_chunks;
      const int64_t tile_end = cut.row_tiles * (row_chunk + 1) / cut.row_chunks;
      block.panel_begin = cut.panels * panel_chunk / cut.panel_chunks;
      block.panel_end = cut.panels * (panel_chunk + 1) / cut.panel_chunks;
      int64_t tile = cut.row_tiles * row_chunk / cut.row_chunks;
      while (tile < tile_end) {
        const int64_t block_end = std::min(tile + cut.block_tiles, tile_end);
        block.row = cut.RowBegin(problem, tile);
        block.rows = cut.RowBegin(problem, block_end) - block.row;
        Place* out = pointers.data();
        for (int64_t t = tile; t < block_end; ++t) {
          const int64_t row = cut.RowBegin(problem, t);
          const int rows = static_cast<int>(cut.RowBegin(problem, t + 1) - row);
          fill(block.group, row, rows, t - tile, out);
          out += rows * problem.taps;
        }
        for (int64_t panel = block.panel_begin; panel < block.panel_end; ++panel) {
          auto compute_tile = multiply(block.group, panel);
          TileEpilogue end = EpilogueAt(problem, steps, block, panel);
          const Place* a = pointers.data();
          int64_t row = block.row;
          for (int64_t t = tile; t < block_end; ++t) {
            const int64_t next = cut.RowBegin(problem, t + 1);
            end.rows = static_cast<int>(next - row);
            compute_tile(a, end);
            a += end.rows * problem.taps;
            row = next;
            Advance(&end, end.rows);
          }
        }
        // The remaining steps, on whole rows while they are in cache.
        if (!steps.rest.empty()) FinishBlock(problem, steps, block);
        tile = block_end;
      }
    }
  });
}

// Rows that are a multiple of 4 KiB apart map to one set of the first-level cache and evict each
// other: in that case this sets pointers[0, rows), each to `depth` elements and `stride` elements
// apart, to copies that are spread out. `slot` is as in Fill.
template <typename Element>
void SeparateRows(int64_t stride, int64_t depth, int rows, int64_t slot, const Element** pointers) {
  constexpr int64_t kSetBytes = 4096;
  constexpr int64_t kShift = 64 / sizeof(Element);  // a cache line between the copies
  if (stride * static_cast<int64_t>(sizeof(Element)) % kSetBytes != 0 || rows < 4) return;
  thread_local std::vector<std::vector<Element>> copies;
  if (static_cast<size_t>(slot) >= copies.size()) copies.resize(static_cast<size_t>(slot) + 1);
  std::vector<Element>& copy = copies[static_cast<size_t>(slot)];
  const auto needed = static_cast<size_t>(rows * (depth + kShift));
  if (copy.size() < needed) copy.resize(needed);
  for (int r = 0; r < rows; ++r) {
    Element* to = copy.data() + r * (depth + kShift);
    std::copy_n(pointers[r], depth, to);
    pointers[r] = to;
  }
}

}  // namespace anemone::cpu
