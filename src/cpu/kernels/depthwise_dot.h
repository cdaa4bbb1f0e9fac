// Depthwise convolution of bytes by dot products: one instruction takes four rows of the kernel. x86 only.
// Thread rules: pure functions.
#pragma once

#include <cstdint>

namespace anemone::cpu {

// Rows of the kernel that the packed weights keep together.
constexpr int64_t kDepthwiseRows = 4;

// Some neighboring output pixels of a row, for one block of channels.
struct DepthwiseDotArgs {
  // For each row of the kernel, rounded up to whole groups, the block's channels of the pixel under it in column 0 of
  // the image; and how far the columns are apart: 0 where the row lies outside, of which each pixel is `zeros`.
  const uint8_t* const* rows = nullptr;
  const int64_t* strides = nullptr;
  int64_t groups = 0;  // of kDepthwiseRows rows
  const uint8_t* zeros = nullptr;
  int64_t columns = 0;  // of the image
  int64_t x = 0;        // the column of the window's first tap for the first pixel
  // For each group and column of the kernel, and each channel of the block in the order of PlaceOf, the group's weights;
  // and what each channel's sum begins with.
  const int8_t* weights = nullptr;
  const int32_t* start = nullptr;
  // Panels of `panel_width` channels, each with a row for each pixel: row r of the first begins at r * panel_width,
  // and the next panel `panel_stride` numbers later.
  int32_t* sums = nullptr;
  int64_t panel_width = 0;
  int64_t panel_stride = 0;
};

// Computes `pixels` pixels; what is read behind the channels of a pixel reaches up to a block.
using DepthwiseDotFunction = void (*)(const DepthwiseDotArgs& args, int64_t pixels);

// How a block of channels is computed.
struct DepthwiseDot {
  int64_t channels = 0;
  DepthwiseDotFunction run = nullptr;
};
// The best for `channels` channels that are left. Without a function where there are no such instructions, or the kernel
// has another width or stride than 3, 5 or 7, and 1 or 2.
DepthwiseDot ChooseDepthwiseDot(int64_t channels, int64_t kernel_w, int64_t stride_w);

// Where the weights of a block's channel stand: bytes of four rows are interleaved within 16 channels.
constexpr int64_t PlaceOf(int64_t channel, int64_t channels) {
  return channel % 16 / 4 * (channels / 4) + channel / 16 * 4 + channel % 4;
}

}  // namespace anemone::cpu
