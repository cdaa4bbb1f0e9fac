// Cuts a product (or several of equal size: the groups of a convolution) into tiles and spreads
// them over threads. Internal to the kernels; gemm_tile.h describes a tile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/kernels/gemm.h"
#include "cpu/kernels/gemm_tile.h"

namespace anemone::cpu {

struct TileProblem {
  int64_t m = 0;
  int64_t taps = 1;
  int64_t depth = 0;              // taps * depth == b.k
  std::span<const PackedView> b;  // one per group, all of the same k and n
  float* c = nullptr;             // group g writes columns [g * n, (g + 1) * n)
  int64_t c_stride = 0;
  std::span<const Step> steps;
  int64_t a_floats = 0;  // about how much of A one group reads: decides what to keep in cache
};

// The steps that a tile applies in its registers, and those left for afterwards.
struct TileSteps {
  explicit TileSteps(std::span<const Step> steps);
  const Step* residual = nullptr;
  bool clamp = false;
  float low = 0.0f;
  float high = 0.0f;
  std::span<const Step> rest;
};

// How the tiles of one group are dealt out.
struct TileCut {
  TileCut(const TileProblem& problem, int threads);
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

void RunTile(const TileProblem& problem, const TileSteps& steps, int64_t group, int64_t panel,
             int64_t row, int rows, const float* const* a);

void ApplyRest(const TileProblem& problem, const TileSteps& steps, int64_t group,
               int64_t panel_begin, int64_t panel_end, int64_t row, int64_t rows);

// Rows that are a multiple of 4 KiB apart (`stride` floats) map to one set of the first-level cache
// and evict each other: in that case this sets pointers[0, rows), each to `depth` floats, to copies
// that are spread out. `slot` is as in Fill.
void SeparateRows(int64_t stride, int64_t depth, int rows, int64_t slot, const float** pointers);

// Fill(group, row, rows, slot, out) sets out[tap * rows + r] for `rows` rows from `row` on; `slot`
// counts the tiles of a block, so that a Fill with scratch memory can keep block_tiles of them.
template <typename Fill>
void RunTiles(const TileProblem& problem, ThreadPool& pool, const Fill& fill) {
  if (problem.m <= 0 || problem.b.empty()) return;
  const TileCut cut(problem, pool.threads());
  const TileSteps steps(problem.steps);
  const int64_t tasks = static_cast<int64_t>(problem.b.size()) * cut.row_chunks * cut.panel_chunks;
  pool.ParallelFor(tasks, cut.grain, [&](int64_t first, int64_t last) {
    thread_local std::vector<const float*> pointers;
    pointers.resize(static_cast<size_t>(cut.block_tiles * MaxTileRows() * problem.taps));
    for (int64_t task = first; task < last; ++task) {
      const int64_t group = task / (cut.row_chunks * cut.panel_chunks);
      const int64_t row_chunk = task / cut.panel_chunks % cut.row_chunks;
      const int64_t panel_chunk = task % cut.panel_chunks;
      const int64_t tile_end = cut.row_tiles * (row_chunk + 1) / cut.row_chunks;
      const int64_t panel_begin = cut.panels * panel_chunk / cut.panel_chunks;
      const int64_t panel_end = cut.panels * (panel_chunk + 1) / cut.panel_chunks;
      int64_t tile = cut.row_tiles * row_chunk / cut.row_chunks;
      while (tile < tile_end) {
        const int64_t block_end = std::min(tile + cut.block_tiles, tile_end);
        const float** out = pointers.data();
        for (int64_t t = tile; t < block_end; ++t) {
          const int64_t row = cut.RowBegin(problem, t);
          const int rows = static_cast<int>(cut.RowBegin(problem, t + 1) - row);
          fill(group, row, rows, t - tile, out);
          out += rows * problem.taps;
        }
        for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
          const float** a = pointers.data();
          for (int64_t t = tile; t < block_end; ++t) {
            const int64_t row = cut.RowBegin(problem, t);
            const int rows = static_cast<int>(cut.RowBegin(problem, t + 1) - row);
            RunTile(problem, steps, group, panel, row, rows, a);
            a += rows * problem.taps;
          }
        }
        // The remaining steps, on whole rows while they are in cache.
        if (!steps.rest.empty()) {
          const int64_t row = cut.RowBegin(problem, tile);
          ApplyRest(problem, steps, group, panel_begin, panel_end, row,
                    cut.RowBegin(problem, block_end) - row);
        }
        tile = block_end;
      }
    }
  });
}

}  // namespace anemone::cpu
