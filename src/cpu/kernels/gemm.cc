#include "cpu/kernels/gemm.h"

#include <algorithm>
#include <limits>

#include "cpu/kernels/gemm_tile.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {
namespace {

constexpr int64_t kBlockFloats = 96 * 1024;  // of A, beside one panel of B, in a second-level cache
constexpr int64_t kBlockPointers = 8192;
constexpr double kTaskFlops = 1e5;  // a few microseconds

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Packed width of the panel that starts at column `first`.
int PanelWidthAt(int64_t n, int64_t first) {
  return n - first <= VectorWidth() ? VectorWidth() : PanelWidth();
}

}  // namespace

int64_t PackedColumns(int64_t n) { return CeilDiv(n, VectorWidth()) * VectorWidth(); }
int64_t PackedFloats(int64_t k, int64_t n) { return k * PackedColumns(n); }

void PackMatrix(const float* b, int64_t k, int64_t n, int64_t row_stride, int64_t column_stride,
                float* out) {
  for (int64_t first = 0; first < n; first += PanelWidth()) {
    const int width = PanelWidthAt(n, first);
    const int columns = static_cast<int>(std::min<int64_t>(width, n - first));
    const float* from = b + first * column_stride;
    for (int64_t i = 0; i < k; ++i, from += row_stride, out += width) {
      if (column_stride == 1) {
        std::copy_n(from, columns, out);
      } else {
        for (int j = 0; j < columns; ++j) out[j] = from[j * column_stride];
      }
      std::fill(out + columns, out + width, 0.0f);
    }
  }
}

PackedMatrix::PackedMatrix(const float* b, int64_t k, int64_t n, int64_t row_stride,
                           int64_t column_stride, const float* bias)
    : panels_(PackedFloats(k, n)), bias_(PackedColumns(n)), k_(k), n_(n) {
  PackMatrix(b, k, n, row_stride, column_stride, panels_.data());
  std::fill_n(bias_.data(), PackedColumns(n), 0.0f);
  if (bias != nullptr) std::copy_n(bias, n, bias_.data());
}

TileSteps::TileSteps(std::span<const Step> steps) {
  if (!steps.empty() && steps[0].kind == StepKind::kAdd && steps[0].operand.column_stride == 1 &&
      steps[0].operand.data != nullptr && steps[0].operand.rows_per_step == 1) {
    residual = &steps[0];
    steps = steps.subspan(1);
  }
  if (!steps.empty() && (steps[0].kind == StepKind::kRelu || steps[0].kind == StepKind::kClamp)) {
    clamp = true;
    const bool relu = steps[0].kind == StepKind::kRelu;
    low = relu ? 0.0f : steps[0].alpha;
    high = relu ? std::numeric_limits<float>::infinity() : steps[0].beta;
    steps = steps.subspan(1);
  }
  rest = steps;
}

TileCut::TileCut(const TileProblem& problem, int threads) {
  const PackedView& b = problem.b[0];
  const auto groups = static_cast<int64_t>(problem.b.size());
  row_tiles = CeilDiv(problem.m, MaxTileRows());
  panels = CeilDiv(b.n, PanelWidth());
  const double flops =
      2.0 * static_cast<double>(problem.m) * static_cast<double>(b.k) * static_cast<double>(b.n);
  // Enough tasks to balance threads of unequal speed, none too small; splits the larger operand, so
  // that each thread reads only its part of it.
  const auto wanted =
      static_cast<int64_t>(std::clamp(flops / kTaskFlops, 1.0, static_cast<double>(4 * threads)));
  const int64_t per_group = threads == 1 ? 1 : CeilDiv(wanted, groups);
  if (b.k * b.n >= problem.a_floats) {
    panel_chunks = std::min(panels, per_group);
    row_chunks = std::min(row_tiles, per_group / panel_chunks);
  } else {
    row_chunks = std::min(row_tiles, per_group);
    panel_chunks = std::min(panels, per_group / row_chunks);
  }
  int64_t row_floats = std::max<int64_t>(problem.a_floats / problem.m, 1);
  if (!TileSteps(problem.steps).rest.empty()) row_floats += b.n / panel_chunks;
  block_tiles = std::min(kBlockFloats / (row_floats * MaxTileRows()),
                         kBlockPointers / (problem.taps * MaxTileRows()));
  block_tiles = std::clamp<int64_t>(block_tiles, 1, row_tiles);
  const double task_flops = flops / static_cast<double>(row_chunks * panel_chunks);
  grain = static_cast<int64_t>(std::max(1.0, kTaskFlops / std::max(task_flops, 1.0)));
}

void RunTile(const TileProblem& problem, const TileSteps& steps, int64_t group, int64_t panel,
             int64_t row, int rows, const float* const* a) {
  const PackedView& b = problem.b[group];
  const int64_t first = panel * PanelWidth();
  TileArgs args;
  args.a = a;
  args.taps = problem.taps;
  args.depth = problem.depth;
  args.b = b.panels + first * b.k;
  args.panel_width = PanelWidthAt(b.n, first);
  args.bias = b.bias + first;
  args.rows = rows;
  args.columns = static_cast<int>(std::min<int64_t>(b.n - first, args.panel_width));
  const int64_t column = group * b.n + first;
  args.c = problem.c + row * problem.c_stride + column;
  args.c_stride = problem.c_stride;
  if (steps.residual != nullptr) {
    const StepOperand& operand = steps.residual->operand;
    args.residual = operand.data + row * operand.row_stride + column;
    args.residual_stride = operand.row_stride;
  }
  args.clamp = steps.clamp;
  args.low = steps.low;
  args.high = steps.high;
  ComputeTile(args);
}

void ApplyRest(const TileProblem& problem, const TileSteps& steps, int64_t group,
               int64_t panel_begin, int64_t panel_end, int64_t row, int64_t rows) {
  const int64_t n = problem.b[group].n;
  const int64_t begin = panel_begin * PanelWidth();
  const int64_t end = std::min(panel_end * PanelWidth(), n);
  ApplySteps(steps.rest, problem.c, problem.c_stride, row, rows, group * n + begin, end - begin);
}

void SeparateRows(int64_t stride, int64_t depth, int rows, int64_t slot, const float** pointers) {
  constexpr int64_t kSetFloats = 1024;
  constexpr int64_t kShift = 16;  // a cache line between the copies
  if (stride % kSetFloats != 0 || rows < 4) return;
  thread_local std::vector<Floats> copies;
  if (static_cast<size_t>(slot) >= copies.size()) copies.resize(static_cast<size_t>(slot) + 1);
  Floats& copy = copies[static_cast<size_t>(slot)];
  copy.Reserve(rows * (depth + kShift));
  for (int r = 0; r < rows; ++r) {
    float* to = copy.data() + r * (depth + kShift);
    std::copy_n(pointers[r], depth, to);
    pointers[r] = to;
  }
}

void Gemm(const float* a, int64_t a_stride, int64_t m, const PackedView& b, float* c,
          int64_t c_stride, std::span<const Step> steps, ThreadPool& pool) {
  TileProblem problem;
  problem.m = m;
  problem.depth = b.k;
  problem.b = {&b, 1};
  problem.c = c;
  problem.c_stride = c_stride;
  problem.steps = steps;
  problem.a_floats = m * b.k;
  RunTiles(problem, pool, [&](int64_t, int64_t row, int rows, int64_t slot, const float** out) {
    for (int r = 0; r < rows; ++r) out[r] = a + (row + r) * a_stride;
    SeparateRows(a_stride, b.k, rows, slot, out);
  });
}

}  // namespace anemone::cpu
