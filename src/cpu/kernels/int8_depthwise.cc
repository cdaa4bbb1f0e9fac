#include "cpu/kernels/int8_depthwise.h"

#include <algorithm>

#include "base/rounding.h"
#include "base/thread_pool.h"
#include "cpu/kernels/depthwise_dot.h"
#include "cpu/kernels/gemm.h"
#include "cpu/kernels/tile_driver.h"
#include "cpu/kernels/tile_finish.h"

namespace anemone::cpu {
namespace {

constexpr int64_t kMostChannels = 64;  // of a block
// Pixels whose sums, and perhaps floats, wait in the first-level cache.
constexpr int64_t kChunk = 32;

}  // namespace

bool PackedInt8Depthwise::CanRun(const ConvShape& s) {
  return s.in_c == s.out_c && s.dilation_w == 1 &&
         ChooseDepthwiseDot(s.in_c, s.kernel_w, s.stride_w).run != nullptr;
}

PackedInt8Depthwise::PackedInt8Depthwise(const ConvShape& s, const std::vector<int8_t>& weights,
                                         const std::vector<float>& scale,
                                         const std::vector<float>& bias, int zero)
    : scale_(PackedColumns(s.out_c) + kMostChannels),
      bias_(PackedColumns(s.out_c) + kMostChannels),
      zeros_(static_cast<size_t>(s.in_c + kMostChannels), static_cast<uint8_t>(zero)),
      groups_(CeilDiv(s.kernel_h, kDepthwiseRows)) {
  std::fill_n(scale_.data(), scale_.capacity(), 0.0f);
  std::fill_n(bias_.data(), bias_.capacity(), 0.0f);
  std::copy_n(scale.data(), s.out_c, scale_.data());
  std::copy_n(bias.data(), s.out_c, bias_.data());
  const int64_t taps = s.kernel_h * s.kernel_w;
  for (int64_t first = 0; first < s.in_c;) {
    const int64_t channels = ChooseDepthwiseDot(s.in_c - first, s.kernel_w, s.stride_w).channels;
    Block& block = blocks_.emplace_back();
    block.first = first;
    block.channels = channels;
    const int64_t tap_bytes = channels * kDepthwiseRows;  // of a column of the kernel
    block.weights.Reserve(groups_ * s.kernel_w * tap_bytes);
    std::fill_n(block.weights.data(), block.weights.capacity(), int8_t{0});
    block.start.Reserve(channels);
    std::fill_n(block.start.data(), channels, 0);
    for (int64_t c = 0; c < std::min(channels, s.in_c - first); ++c) {
      const int8_t* filter = weights.data() + (first + c) * taps;
      const int64_t place = PlaceOf(c, channels);
      int32_t sum = 0;
      for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
        for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
          const int8_t weight = filter[ky * s.kernel_w + kx];
          const int64_t column = ky / kDepthwiseRows * s.kernel_w + kx;
          block.weights.data()[column * tap_bytes + place * kDepthwiseRows + ky % kDepthwiseRows] =
              weight;
          sum += weight;
        }
      }
      block.start.data()[place] = -zero * sum;
    }
    first += channels;
  }
}

void PackedInt8Depthwise::Run(const ConvShape& s, const uint8_t* in, const Destination& out,
                              std::span<const Step> steps, ThreadPool& pool) const {
  TileProblem problem;
  problem.m = s.batch * s.out_h * s.out_w;
  problem.n = s.out_c;
  problem.out = out;
  problem.out_stride = s.out_c;
  problem.steps = steps;
  const TileSteps tile_steps(steps, out);
  const bool waits = out.floats == nullptr && tile_steps.quantize == nullptr;
  const FinishIntegersFunction finish = ChooseFinishIntegers();
  const int64_t row_flops = s.out_w * s.out_c * s.kernel_h * s.kernel_w * 2;
  const int64_t grain = std::max<int64_t>(1, 400'000 / std::max<int64_t>(row_flops, 1));
  pool.ParallelFor(s.batch * s.out_h, grain, [&](int64_t begin, int64_t end) {
    thread_local Aligned<int32_t> sums;
    thread_local Floats waiting;
    sums.Reserve(kChunk * kMostChannels);
    if (waits) waiting.Reserve(kChunk * kMostChannels);
    thread_local std::vector<const uint8_t*> rows;
    thread_local std::vector<int64_t> strides;
    const auto kernel_rows = static_cast<size_t>(groups_ * kDepthwiseRows);
    rows.resize(kernel_rows);
    strides.resize(kernel_rows);
    for (int64_t row = begin; row < end; ++row) {
      const uint8_t* image = in + row / s.out_h * s.in_h * s.in_w * s.in_c;
      const int64_t top = row % s.out_h * s.stride_h - s.pad_top;
      for (const Block& block : blocks_) {
        DepthwiseDotArgs args;
        args.zeros = zeros_.data();
        for (size_t ky = 0; ky < kernel_rows; ++ky) {
          const auto line = static_cast<int64_t>(ky);
          const int64_t y = top + line * s.dilation_h;
          const bool inside = line < s.kernel_h && y >= 0 && y < s.in_h;
          rows[ky] = inside ? image + y * s.in_w * s.in_c + block.first : args.zeros;
          strides[ky] = inside ? s.in_c : 0;
        }
        args.rows = rows.data();
        args.strides = strides.data();
        args.groups = groups_;
        args.columns = s.in_w;
        args.weights = block.weights.data();
        args.start = block.start.data();
        args.sums = sums.data();
        const DepthwiseDotFunction run =
            ChooseDepthwiseDot(s.in_c - block.first, s.kernel_w, s.stride_w).run;
        TileBlock tile;
        tile.panel_begin = block.first / PanelWidth();
        tile.panel_end = CeilDiv(std::min(block.first + block.channels, s.out_c), PanelWidth());
        tile.waiting = waits ? waiting.data() : nullptr;
        for (int64_t x = 0; x < s.out_w; x += kChunk) {
          tile.row = row * s.out_w + x;
          tile.rows = std::min(kChunk, s.out_w - x);
          args.x = x * s.stride_w - s.pad_left;
          args.panel_width = PanelWidth();
          args.panel_stride = tile.rows * args.panel_width;
          run(args, tile.rows);
          for (int64_t panel = tile.panel_begin; panel < tile.panel_end; ++panel) {
            TileEpilogue epilogue = EpilogueAt(problem, tile_steps, tile, panel);
            epilogue.rows = static_cast<int>(tile.rows);
            const int64_t column = panel * PanelWidth();
            finish(sums.data() + (panel - tile.panel_begin) * args.panel_stride,
                   static_cast<int>(PanelWidth()), scale_.data() + column, bias_.data() + column,
                   epilogue);
          }
          if (!tile_steps.rest.empty()) FinishBlock(problem, tile_steps, tile);
        }
      }
    }
  });
}

}  // namespace anemone::cpu
