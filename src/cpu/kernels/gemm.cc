#include "cpu/kernels/gemm.h"

#include <algorithm>

#include "base/rounding.h"
#include "base/thread_pool.h"
#include "cpu/kernels/gemm_tile.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {
namespace {

// How many panels of k rows take some ten microseconds to pack.
int64_t PanelsWorthAThread(int64_t k) {
  return std::max<int64_t>(1, 32 * 1024 / std::max<int64_t>(k * PanelWidth(), 1));
}

// Panels [begin, end) of PackMatrix.
void PackPanels(const float* b, int64_t k, int64_t n, int64_t row_stride, int64_t column_stride,
                int64_t begin, int64_t end, float* panels) {
  for (int64_t panel = begin; panel < end; ++panel) {
    const int64_t first = panel * PanelWidth();
    const int width = PanelWidthAt(n, panel);
    const int columns = static_cast<int>(std::min<int64_t>(width, n - first));
    const float* from = b + first * column_stride;
    float* out = panels + first * k;
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

}  // namespace

int64_t PackedColumns(int64_t n) { return CeilDiv(n, VectorWidth()) * VectorWidth(); }
int64_t PackedFloats(int64_t k, int64_t n) { return k * PackedColumns(n); }

void PackMatrix(const float* b, int64_t k, int64_t n, int64_t row_stride, int64_t column_stride,
                float* out) {
  PackPanels(b, k, n, row_stride, column_stride, 0, CeilDiv(n, PanelWidth()), out);
}

PackedMatrix::PackedMatrix(const float* b, int64_t k, int64_t n, int64_t row_stride,
                           int64_t column_stride, const float* bias)
    : panels_(PackedFloats(k, n)), bias_(PackedColumns(n)), k_(k), n_(n) {
  PackMatrix(b, k, n, row_stride, column_stride, panels_.data());
  SetBias(bias);
}

PackedMatrix::PackedMatrix(const float* b, int64_t k, int64_t n, int64_t row_stride,
                           int64_t column_stride, const float* bias, ThreadPool& pool)
    : panels_(PackedFloats(k, n)), bias_(PackedColumns(n)), k_(k), n_(n) {
  pool.ParallelFor(CeilDiv(n, PanelWidth()), PanelsWorthAThread(k),
                   [&](int64_t begin, int64_t end) {
                     PackPanels(b, k, n, row_stride, column_stride, begin, end, panels_.data());
                   });
  SetBias(bias);
}

PackedMatrix::PackedMatrix(const float* filters, int64_t taps, int64_t depth, int64_t n,
                           const float* bias, ThreadPool& pool)
    : panels_(PackedFloats(taps * depth, n)), bias_(PackedColumns(n)), k_(taps * depth), n_(n) {
  SetBias(bias);
  pool.ParallelFor(CeilDiv(n, PanelWidth()), PanelsWorthAThread(k_),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t panel = begin; panel < end; ++panel) {
                       const int64_t first = panel * PanelWidth();
                       const int64_t width = PanelWidthAt(n, panel);
                       const int64_t columns = std::min(width, n - first);
                       float* out = panels_.data() + first * k_;
                       if (columns < width) std::fill_n(out, k_ * width, 0.0f);
                       // Each filter is read from front to back.
                       const float* from = filters + first * k_;
                       for (int64_t c = 0; c < depth; ++c) {
                         for (int64_t t = 0; t < taps; ++t, ++from) {
                           float* row = out + (t * depth + c) * width;
                           for (int64_t j = 0; j < columns; ++j) row[j] = from[j * k_];
                         }
                       }
                     }
                   });
}

void PackedMatrix::SetBias(const float* bias) {
  std::fill_n(bias_.data(), PackedColumns(n_), 0.0f);
  if (bias != nullptr) std::copy_n(bias, n_, bias_.data());
}

TileArgs PanelArgs(const PackedView& b, int64_t panel, int64_t taps) {
  const int64_t first = panel * PanelWidth();
  TileArgs args;
  args.taps = taps;
  args.depth = b.k / taps;
  args.b = b.panels + first * b.k;
  args.panel_width = PanelWidthAt(b.n, panel);
  args.bias = b.bias + first;
  return args;
}

void Gemm(const float* a, int64_t a_stride, int64_t m, const PackedView& b, const Destination& c,
          int64_t c_stride, std::span<const Step> steps, ThreadPool& pool) {
  TileProblem problem;
  problem.m = m;
  problem.n = b.n;
  problem.k = b.k;
  problem.out = c;
  problem.out_stride = c_stride;
  problem.steps = steps;
  problem.a_bytes = m * b.k * int64_t{sizeof(float)};
  const Tile compute = ChooseTile();
  RunTiles<const float*>(
      problem, pool,
      [&](int64_t, int64_t row, int rows, int64_t slot, const float** out) {
        for (int r = 0; r < rows; ++r) out[r] = a + (row + r) * a_stride;
        SeparateRows(a_stride, b.k, rows, slot, out);
      },
      [&](int64_t, int64_t panel) {
        return [compute, args = PanelArgs(b, panel, 1)](const float* const* rows,
                                                        const TileEpilogue& end) mutable {
          args.a = rows;
          compute(args, end);
        };
      });
}

}  // namespace anemone::cpu
