#include "cpu/kernels/int8_matrix.h"

#include <algorithm>

#include "cpu/kernels/gemm.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {

PackedInt8Matrix::PackedInt8Matrix(const int8_t* b, int64_t taps, int64_t depth, int64_t n,
                                   int64_t group, const float* scale, const float* bias)
    : scale_(PackedColumns(n)),
      bias_(PackedColumns(n)),
      taps_(taps),
      depth_(depth),
      groups_((depth + group - 1) / group),
      group_(group),
      n_(n) {
  const int64_t padded = PackedColumns(n);
  std::fill_n(scale_.data(), padded, 0.0f);
  std::fill_n(bias_.data(), padded, 0.0f);
  std::copy_n(scale, n, scale_.data());
  std::copy_n(bias, n, bias_.data());
  panels_.assign(static_cast<size_t>(taps * groups_ * group * padded), 0);
  int8_t* out = panels_.data();
  for (int64_t panel = 0; panel * PanelWidth() < n; ++panel) {
    const int64_t first = FirstColumn(panel);
    const int64_t columns = std::min<int64_t>(Width(panel), n - first);
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t g = 0; g < groups_; ++g, out += group * Width(panel)) {
        const int64_t values = std::min(group, depth - g * group);
        for (int64_t j = 0; j < columns; ++j) {
          const int8_t* from = b + (first + j) * taps * depth + tap * depth + g * group;
          std::copy_n(from, values, out + group * j);
        }
      }
    }
  }
}

int64_t PackedInt8Matrix::FirstColumn(int64_t panel) { return panel * PanelWidth(); }
int PackedInt8Matrix::Width(int64_t panel) const { return PanelWidthAt(n_, panel); }

}  // namespace anemone::cpu
