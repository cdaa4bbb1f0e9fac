#include "cpu/kernels/int8_gemm.h"

#include <algorithm>

#include "cpu/kernels/gemm.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {

PackedInt8Matrix::PackedInt8Matrix(const int8_t* b, int64_t taps, int64_t depth, int64_t n,
                                   const float* scale, const float* bias)
    : scale_(PackedColumns(n)), bias_(PackedColumns(n)), taps_(taps), depth_(depth), n_(n) {
  const int64_t padded = PackedColumns(n);
  std::fill_n(scale_.data(), padded, 0.0f);
  std::fill_n(bias_.data(), padded, 0.0f);
  std::copy_n(scale, n, scale_.data());
  std::copy_n(bias, n, bias_.data());
  const int64_t pairs = (depth + 1) / 2;
  panels_.assign(static_cast<size_t>(taps * pairs * 2 * padded), 0);
  int8_t* out = panels_.data();
  for (int64_t panel = 0; panel * PanelWidth() < n; ++panel) {
    const int64_t first = panel * PanelWidth();
    const int64_t width = PanelWidthAt(n, panel);
    const int64_t columns = std::min(width, n - first);
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t pair = 0; pair < pairs; ++pair, out += 2 * width) {
        const int64_t from = tap * depth + 2 * pair;
        const bool whole = 2 * pair + 1 < depth;
        for (int64_t j = 0; j < columns; ++j) {
          const int8_t* column = b + (first + j) * taps * depth;
          out[2 * j] = column[from];
          if (whole) out[2 * j + 1] = column[from + 1];
        }
      }
    }
  }
}

Int8TileArgs PackedInt8Matrix::PanelArgs(int64_t panel) const {
  const int64_t first = panel * PanelWidth();
  Int8TileArgs args;
  args.taps = taps_;
  args.depth = depth_;
  args.b = panels_.data() + first * taps_ * ((depth_ + 1) / 2) * 2;
  args.panel_width = PanelWidthAt(n_, panel);
  args.scale = scale_.data() + first;
  args.bias = bias_.data() + first;
  return args;
}

void Int8Gemm(const NarrowInt* a, int64_t a_stride, int64_t m, const PackedInt8Matrix& b,
              const Destination& c, int64_t c_stride, std::span<const Step> steps,
              ThreadPool& pool) {
  TileProblem problem;
  problem.m = m;
  problem.n = b.n();
  problem.k = b.k();
  problem.out = c;
  problem.out_stride = c_stride;
  problem.steps = steps;
  problem.element_bytes = sizeof(NarrowInt);
  problem.a_bytes = m * b.k() * problem.element_bytes;
  const Int8TileFunction compute = ChooseInt8Tile();
  RunTiles<NarrowInt>(
      problem, pool,
      [&](int64_t, int64_t row, int rows, int64_t slot, const NarrowInt** out) {
        for (int r = 0; r < rows; ++r) out[r] = a + (row + r) * a_stride;
        SeparateRows(a_stride, b.k(), rows, slot, out);
      },
      [&](int64_t, int64_t panel) {
        return [compute, args = b.PanelArgs(panel)](const NarrowInt* const* rows,
                                                    const TileEpilogue& end) mutable {
          args.a = rows;
          compute(args, end);
        };
      });
}

}  // namespace anemone::cpu
