#include "cpu/kernels/int8_matrix.h"

#include <algorithm>
#include <numeric>

#include "cpu/kernels/gemm.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {

PackedInt8Matrix::PackedInt8Matrix(const int8_t* b, int64_t taps, int64_t depth, int64_t n,
                                   const Int8Packing& how, const float* scale, const float* bias)
    : start_(PackedColumns(n)),
      scale_(PackedColumns(n)),
      bias_(PackedColumns(n)),
      taps_(taps),
      groups_((depth + how.group * how.multiple - 1) / (how.group * how.multiple) * how.multiple),
      group_(how.group),
      n_(n) {
  const int64_t padded = PackedColumns(n);
  std::fill_n(start_.data(), padded, 0);
  std::fill_n(scale_.data(), padded, 0.0f);
  std::fill_n(bias_.data(), padded, 0.0f);
  std::copy_n(scale, n, scale_.data());
  std::copy_n(bias, n, bias_.data());
  for (int64_t j = 0; j < n && how.zero != 0; ++j) {
    const int8_t* column = b + j * taps * depth;
    const int64_t sum = std::accumulate(column, column + taps * depth, int64_t{0});
    // May wrap, as the sums that it is added to do; the whole sum fits.
    start_.data()[j] = static_cast<int32_t>(static_cast<uint32_t>(-how.zero * sum));
  }
  panels_.Reserve(taps * groups_ * group_ * padded);
  std::fill_n(panels_.data(), taps * groups_ * group_ * padded, int8_t{0});
  int8_t* out = panels_.data();
  for (int64_t panel = 0; panel * PanelWidth() < n; ++panel) {
    const int64_t first = FirstColumn(panel);
    const int64_t columns = std::min<int64_t>(Width(panel), n - first);
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t g = 0; g < groups_; ++g, out += group_ * Width(panel)) {
        const int64_t values = std::clamp<int64_t>(depth - g * group_, 0, group_);
        for (int64_t j = 0; j < columns; ++j) {
          const int8_t* from = b + (first + j) * taps * depth + tap * depth + g * group_;
          std::copy_n(from, values, out + group_ * j);
        }
      }
    }
  }
}

int64_t PackedInt8Matrix::FirstColumn(int64_t panel) { return panel * PanelWidth(); }
int PackedInt8Matrix::Width(int64_t panel) const { return PanelWidthAt(n_, panel); }

}  // namespace anemone::cpu
