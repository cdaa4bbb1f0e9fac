// Where a convolution's tile of AMX reads (conv_patches.h): for each tap, the first and the last rows_each output pixels.
// Where those lie in one line of the image, their places follow from the first one. Internal to the kernels.
// Thread rules: pure functions; copies belong to the thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/rounding.h"
#include "cpu/kernels/amx_tile.h"
#include "cpu/kernels/conv_patches.h"

namespace anemone::cpu {

template <typename Element>
class AmxPatches {
 public:
  AmxPatches(const ConvShape& s, ConvMethod method, const AmxCut& cut, const Element* in,
             const Element* zeros)
      : s_(s),
        method_(method),
        cut_(cut),
        in_(in),
        zeros_(zeros),
        rows_(method == ConvMethod::kRows),
        taps_(rows_ ? s.kernel_h : s.kernel_h * s.kernel_w),
        piece_(rows_ ? s.kernel_w * s.in_c : s.in_c / s.groups),
        stride_bytes_(s.stride_w * s.in_c * int64_t{sizeof(Element)}) {}

  // The places of `rows` rows from `row` on, out[2 * tap] those of the first and out[2 * tap + 1] those of the last;
  // `slot` as in RunTiles.
  void Fill(int64_t group, int64_t row, int rows, int64_t slot, AmxRows* out) const {
    thread_local std::vector<std::vector<uint8_t>> copies;
    if (static_cast<size_t>(slot) >= copies.size()) copies.resize(static_cast<size_t>(slot) + 1);
    std::vector<uint8_t>& copy = copies[static_cast<size_t>(slot)];
    const Pixel first(s_, row), last(s_, row + rows - cut_.rows_each);
    if (InOneLine(first) && InOneLine(last)) {
      // What is read behind a row is multiplied by 0.
      const int64_t padded = RoundUp(piece_ * int64_t{sizeof(Element)}, kAmxRowBytes);
      const auto needed = static_cast<size_t>(2 * taps_ * cut_.rows_each * padded);
      if (copy.size() < needed) copy.resize(needed);
      uint8_t* to = copy.data();
      for (int64_t tap = 0; tap < taps_; ++tap, out += 2) {
        out[0] = Line(group, first, tap, padded, &to);
        out[1] = Line(group, last, tap, padded, &to);
      }
      return;
    }
    thread_local std::vector<const Element*> pointers;
    const auto wanted = static_cast<size_t>(rows * taps_);
    if (pointers.size() < wanted) pointers.resize(wanted);
    FillConv(s_, method_, in_, zeros_, group, row, rows, slot, pointers.data());
    CollectAmxRows(cut_, reinterpret_cast<const void* const*>(pointers.data()), taps_, rows,
                   piece_ * int64_t{sizeof(Element)}, &copy, out);
  }

 private:
  // Rows as far apart as sets of the cache repeat are left to FillConv, which copies some.
  bool InOneLine(const Pixel& pixel) const {
    constexpr int64_t kSetBytes = 4096;
    if (stride_bytes_ % kSetBytes == 0) return false;
    return method_ == ConvMethod::kPointwise || pixel.x + cut_.rows_each <= s_.out_w;
  }

  AmxRows Line(int64_t group, const Pixel& pixel, int64_t tap, int64_t padded,
               uint8_t** copy) const {
    if (method_ == ConvMethod::kPointwise) {
      const int64_t at = (pixel.image * s_.out_h + pixel.y) * s_.out_w + pixel.x;
      return {in_ + at * s_.in_c, stride_bytes_};
    }
    const int64_t ky = rows_ ? tap : tap / s_.kernel_w, kx = rows_ ? 0 : tap % s_.kernel_w;
    const int64_t y = pixel.y * s_.stride_h - s_.pad_top + ky * s_.dilation_h;
    if (y < 0 || y >= s_.in_h) return {zeros_, 0};
    const int64_t x = pixel.x * s_.stride_w - s_.pad_left + kx * s_.dilation_w;
    const int64_t width = rows_ ? s_.kernel_w : 1;  // pixels of a piece
    const Element* line =
        in_ + (pixel.image * s_.in_h + y) * s_.in_w * s_.in_c + group * (s_.in_c / s_.groups);
    if (x >= 0 && x + (cut_.rows_each - 1) * s_.stride_w + width <= s_.in_w) {
      return {line + x * s_.in_c, stride_bytes_};
    }
    const AmxRows made{*copy, padded};
    for (int64_t r = 0; r < cut_.rows_each; ++r, *copy += padded) {
      auto* to = reinterpret_cast<Element*>(*copy);
      const int64_t from = x + r * s_.stride_w;
      const int64_t begin = std::clamp<int64_t>(-from, 0, width);
      const int64_t end = std::clamp<int64_t>(s_.in_w - from, begin, width);
      const int64_t each = piece_ / width;
      std::fill_n(to, begin * each, *zeros_);
      std::copy_n(line + (from + begin) * s_.in_c, (end - begin) * each, to + begin * each);
      std::fill_n(to + end * each, (width - end) * each, *zeros_);
    }
    return made;
  }

  const ConvShape& s_;
  ConvMethod method_;
  AmxCut cut_;
  const Element* in_;
  const Element* zeros_;
  bool rows_;  // a tap is a row of the kernel
  int64_t taps_;
  int64_t piece_;  // neighbors that a tap has
  int64_t stride_bytes_;
};

}  // namespace anemone::cpu
