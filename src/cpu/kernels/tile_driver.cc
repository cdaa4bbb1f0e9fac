#include "cpu/kernels/tile_driver.h"

#include "base/rounding.h"
#include "cpu/kernels/elementwise.h"

namespace anemone::cpu {
namespace {

constexpr int64_t kBlockBytes = 384 * 1024;  // of A, beside one panel of B, in a second-level cache
constexpr int64_t kBlockPointers = 8192;
constexpr double kTaskFlops = 1e5;  // a few microseconds
// Measured on 2 cores with 2 MiB of second-level cache each: of 1, 2, 4, 8 and 16 the best for seven networks.
constexpr int64_t kMuchLarger = 4;
constexpr int64_t kCacheBytes = 1024 * 1024;

// Whether the tile can address the step's operand: one place for each row and column.
bool IsInTile(const Step& step) {
  if (!RunsInTile(step.kind)) return false;
  if (!HasOperand(step.kind)) return true;
  const StepOperand& o = step.operand;
  return o.bytes != nullptr || (o.data != nullptr && (o.rows_per_step == 1 || o.row_stride == 0));
}

}  // namespace

int PanelWidthAt(int64_t n, int64_t panel) {
  return n - panel * PanelWidth() <= VectorWidth() ? VectorWidth() : PanelWidth();
}

TileSteps::TileSteps(std::span<const Step> steps, const Destination& out) {
  const std::span<const Step> all = steps;
  const bool narrow = out.floats == nullptr;
  const size_t last = narrow ? 1 : 0;  // what quantizes narrow results is no step of the tile
  while (steps.size() > last && count < TileEpilogue::kMaxSteps && IsInTile(steps[0])) {
    in_tile[static_cast<size_t>(count++)] = &steps[0];
    steps = steps.subspan(1);
  }
  if (narrow && steps.size() == 1) {
    quantize = &steps[0];
    steps = {};
    requantization.emplace(all, out.zero);
    if (!requantization->possible()) requantization.reset();
  }
  rest = steps;
}

TileCut::TileCut(const TileProblem& problem, const TileSteps& steps, int threads) {
  row_tiles = CeilDiv(problem.m, problem.max_rows);
  panels = CeilDiv(problem.n, PanelWidth());
  const double flops = 2.0 * static_cast<double>(problem.m) * static_cast<double>(problem.k) *
                       static_cast<double>(problem.n);
  // Enough tasks to balance threads of unequal speed, none too small. Rows are split, so that each thread
  // reads the rows that it wrote in the layer before, from its own cache (base/thread_pool.h); columns where
  // B is much larger, or larger and too large for that cache, so that each thread reads only its part of B.
  const auto wanted =
      static_cast<int64_t>(std::clamp(flops / kTaskFlops, 1.0, static_cast<double>(4 * threads)));
  const int64_t per_group = threads == 1 ? 1 : CeilDiv(wanted, problem.groups);
  const int64_t b_bytes = problem.k * problem.n * problem.element_bytes;
  const int64_t larger = b_bytes > kCacheBytes ? 1 : kMuchLarger;
  if (b_bytes >= larger * problem.a_bytes) {
    panel_chunks = std::min(panels, per_group);
    row_chunks = std::min(row_tiles, per_group / panel_chunks);
  } else {
    row_chunks = std::min(row_tiles, per_group);
    panel_chunks = std::min(panels, per_group / row_chunks);
  }
  int64_t row_bytes = std::max<int64_t>(problem.a_bytes / problem.m, 1);
  if (!steps.rest.empty()) row_bytes += problem.n / panel_chunks * int64_t{sizeof(float)};
  block_tiles = std::min(kBlockBytes / (row_bytes * problem.max_rows),
                         kBlockPointers / (problem.taps * problem.max_rows));
  block_tiles = std::clamp<int64_t>(block_tiles, 1, row_tiles);
  const double task_flops = flops / static_cast<double>(row_chunks * panel_chunks);
  grain = static_cast<int64_t>(std::max(1.0, kTaskFlops / std::max(task_flops, 1.0)));
}

int64_t TileBlock::column(const TileProblem& problem) const {
  return group * problem.n + panel_begin * PanelWidth();
}

int64_t TileBlock::columns(const TileProblem& problem) const {
  return std::min(panel_end * PanelWidth(), problem.n) - panel_begin * PanelWidth();
}

TileEpilogue EpilogueAt(const TileProblem& problem, const TileSteps& steps, const TileBlock& block,
                        int64_t panel) {
  const int64_t row = block.row;
  const int64_t first = panel * PanelWidth();
  const int64_t column = block.group * problem.n + first;
  TileEpilogue end;
  end.columns = static_cast<int>(std::min<int64_t>(problem.n - first, PanelWidth()));
  const auto bind = [&](const Step& step) {
    TileStep bound;
    bound.kind = step.kind;
    bound.alpha = step.alpha;
    bound.beta = step.beta;
    if (!HasOperand(step.kind)) return bound;
    const StepOperand& o = step.operand;
    const int64_t at = row * o.row_stride + column * o.column_stride;
    if (o.bytes != nullptr) {
      bound.bytes = o.bytes + at;
      bound.zero = o.zero;
      bound.scale = o.scale;
    } else {
      bound.operand = o.data + at;
    }
    bound.row_stride = o.row_stride;
    bound.column_stride = o.column_stride;
    return bound;
  };
  for (int i = 0; i < steps.count; ++i) {
    end.steps[i] = bind(*steps.in_tile[static_cast<size_t>(i)]);
  }
  end.count = steps.count;
  if (block.waiting != nullptr) {
    end.stride = block.columns(problem);
    end.c = block.waiting + (column - block.column(problem));
    return end;
  }
  end.stride = problem.out_stride;
  const int64_t at = row * problem.out_stride + column;
  if (steps.quantize != nullptr) {
    end.quantize = bind(*steps.quantize);
    if (problem.out.narrow != nullptr) end.narrow = problem.out.narrow + at;
    if (problem.out.bytes != nullptr) end.bytes = problem.out.bytes + at;
    end.zero = problem.out.zero;
    end.requantization = steps.requantization ? &*steps.requantization : nullptr;
  } else {
    end.c = problem.out.floats + at;
  }
  return end;
}

float* WaitingFloats(const TileProblem& problem, const TileSteps& steps, const TileCut& cut) {
  if (problem.out.floats != nullptr || steps.quantize != nullptr) return nullptr;
  thread_local Floats waiting;
  const int64_t columns = CeilDiv(cut.panels, cut.panel_chunks) * PanelWidth();
  waiting.Reserve(cut.block_tiles * problem.max_rows * columns);
  return waiting.data();
}

void FinishBlock(const TileProblem& problem, const TileSteps& steps, const TileBlock& block) {
  const int64_t column = block.column(problem), columns = block.columns(problem);
  if (block.waiting == nullptr) {
    ApplySteps(steps.rest, problem.out.floats, problem.out_stride, block.row, block.rows, column,
               columns);
    return;
  }
  ApplyStepsToBlock(steps.rest, block.waiting, columns, block.row, block.rows, column, columns);
  for (int64_t r = 0; r < block.rows; ++r) {
    StoreIntegers(block.waiting + r * columns, problem.out,
                  (block.row + r) * problem.out_stride + column, columns);
  }
}

}  // namespace anemone::cpu
