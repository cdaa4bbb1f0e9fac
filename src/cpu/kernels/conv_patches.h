// Where a convolution over NHWC data reads: pointers to the pixels under each tap, or to whole rows of
// the kernel. Internal to the kernels. Thread rules: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "cpu/kernels/conv.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {

// Walks the output pixels of flattened row indices.
struct Pixel {
  Pixel(const ConvShape& s, int64_t row)
      : image(row / (s.out_h * s.out_w)), y(row / s.out_w % s.out_h), x(row % s.out_w) {}
  void Next(const ConvShape& s) {
    if (++x < s.out_w) return;
    x = 0;
    if (++y < s.out_h) return;
    y = 0;
    ++image;
  }
  int64_t image, y, x;
};

// Where the window of an output pixel begins in the image, and whether all of it is inside.
struct PixelWindow {
  PixelWindow(const ConvShape& s, const Pixel& pixel)
      : y(pixel.y * s.stride_h - s.pad_top),
        x(pixel.x * s.stride_w - s.pad_left),
        inside(y >= 0 && x >= 0 && y + (s.kernel_h - 1) * s.dilation_h < s.in_h &&
               x + (s.kernel_w - 1) * s.dilation_w < s.in_w) {}
  int64_t y, x;
  bool inside;
};

// One pointer per tap and row, out[tap * rows + r], to the group's channels of the pixel under it;
// to `zeros` in the padding.
template <typename Element>
void FillTaps(const ConvShape& s, const Element* in, const Element* zeros, int64_t group,
              int64_t row, int rows, const Element** out) {
  const Element* base = in + group * (s.in_c / s.groups);
  const int64_t down = s.dilation_h * s.in_w * s.in_c, right = s.dilation_w * s.in_c;
  Pixel pixel(s, row);
  for (int r = 0; r < rows; ++r, pixel.Next(s)) {
    const Element** to = out + r;
    const PixelWindow window(s, pixel);
    const int64_t first = ((pixel.image * s.in_h + window.y) * s.in_w + window.x) * s.in_c;
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const int64_t y = window.y + ky * s.dilation_h;
      const bool line_inside = window.inside || (y >= 0 && y < s.in_h);
      for (int64_t kx = 0; kx < s.kernel_w; ++kx, to += rows) {
        const int64_t x = window.x + kx * s.dilation_w;
        const bool inside = window.inside || (line_inside && x >= 0 && x < s.in_w);
        *to = inside ? base + (first + ky * down + kx * right) : zeros;
      }
    }
  }
}

// One pointer per kernel row and row, to kernel_w * in_c values: into the image, or, where the row
// crosses the left or right border, to a copy with zeros in `scratch`: room for rows * kernel_h *
// RowCopyCount(s) values. Undilated, one group.
// Products of small numbers read whole groups of them, or whole registers.
template <typename Element>
constexpr int64_t kCopySlack = sizeof(Element) == sizeof(float) ? 0 : 64 / sizeof(Element) - 1;
template <typename Element>
int64_t RowCopyCount(const ConvShape& s) {
  return s.kernel_w * s.in_c + kCopySlack<Element>;
}

template <typename Element>
void FillKernelRows(const ConvShape& s, const Element* in, const Element* zeros, int64_t row,
                    int rows, Element* scratch, const Element** out) {
  const int64_t down = s.dilation_h * s.in_w * s.in_c;
  Pixel pixel(s, row);
  for (int r = 0; r < rows; ++r, pixel.Next(s)) {
    const PixelWindow window(s, pixel);
    if (window.inside) {
      const Element* first = in + ((pixel.image * s.in_h + window.y) * s.in_w + window.x) * s.in_c;
      for (int64_t ky = 0; ky < s.kernel_h; ++ky) out[ky * rows + r] = first + ky * down;
      continue;
    }
    const int64_t y0 = window.y, x0 = window.x;
    const int64_t begin = std::clamp<int64_t>(-x0, 0, s.kernel_w);
    const int64_t end = std::clamp<int64_t>(s.in_w - x0, begin, s.kernel_w);
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const Element*& to = out[ky * rows + r];
      const int64_t y = y0 + ky * s.dilation_h;
      if (y < 0 || y >= s.in_h || begin == end) {
        to = zeros;
        continue;
      }
      const Element* line = in + (pixel.image * s.in_h + y) * s.in_w * s.in_c;
      if (begin == 0 && end == s.kernel_w) {
        to = line + x0 * s.in_c;
        continue;
      }
      std::fill_n(scratch, begin * s.in_c, *zeros);
      std::copy_n(line + (x0 + begin) * s.in_c, (end - begin) * s.in_c, scratch + begin * s.in_c);
      std::fill_n(scratch + end * s.in_c, (s.kernel_w - end) * s.in_c + kCopySlack<Element>,
                  *zeros);
      to = scratch;
      scratch += RowCopyCount<Element>(s);
    }
  }
}

// The convolution as a product of pixels and filters.
inline TileProblem ProductOf(const ConvShape& s, ConvMethod method, const Destination& out,
                             std::span<const Step> steps, int64_t element_bytes) {
  const int64_t depth = s.in_c / s.groups;
  TileProblem problem;
  problem.m = s.batch * s.out_h * s.out_w;
  problem.n = s.out_c / s.groups;
  problem.taps = method == ConvMethod::kRows ? s.kernel_h : s.kernel_h * s.kernel_w;
  problem.k = s.kernel_h * s.kernel_w * depth;
  problem.groups = s.groups;
  problem.out = out;
  problem.out_stride = s.out_c;
  problem.steps = steps;
  problem.element_bytes = element_bytes;
  problem.a_bytes = s.batch * s.in_h * s.in_w * depth * element_bytes;
  return problem;
}

// The pointers of one tile, by the convolution's method; `slot` as in RunTiles.
template <typename Element>
void FillConv(const ConvShape& s, ConvMethod method, const Element* in, const Element* zeros,
              int64_t group, int64_t row, int rows, int64_t slot, const Element** to) {
  const int64_t depth = s.in_c / s.groups;
  switch (method) {
    case ConvMethod::kPointwise:
      for (int r = 0; r < rows; ++r) to[r] = in + (row + r) * s.in_c;
      return SeparateRows(s.in_c, depth, rows, slot, to);
    case ConvMethod::kRows: {
      thread_local std::vector<std::vector<Element>> borders;
      if (static_cast<size_t>(slot) >= borders.size())
        borders.resize(static_cast<size_t>(slot) + 1);
      std::vector<Element>& border = borders[static_cast<size_t>(slot)];
      const auto needed = static_cast<size_t>(rows * s.kernel_h * RowCopyCount<Element>(s));
      if (border.size() < needed) border.resize(needed);
      return FillKernelRows(s, in, zeros, row, rows, border.data(), to);
    }
    default:
      FillTaps(s, in, zeros, group, row, rows, to);
      if (s.kernel_h * s.kernel_w == 1) {
        SeparateRows(s.in_c * s.stride_w, depth, rows, slot, to);
      }
  }
}

}  // namespace anemone::cpu
