#include "cpu/kernels/conv.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "cpu/kernels/conv_patches.h"
#include "cpu/kernels/depthwise.h"
#include "cpu/kernels/gemm_tile.h"
#include "cpu/kernels/tile_driver.h"
#include "cpu/kernels/winograd.h"

namespace anemone::cpu {
namespace {

constexpr int64_t kMaxRepeat = 4;     // filters per channel that count as depthwise
constexpr int64_t kFewChannels = 16;  // below, one tap is too short a loop: read whole kernel rows

bool IsWinograd(ConvMethod method) {
  return method == ConvMethod::kWinograd2 || method == ConvMethod::kWinograd4;
}
int WinogradTile(ConvMethod method) { return method == ConvMethod::kWinograd2 ? 2 : 4; }

// Each channel of `in` `repeat` times, so that every filter has its own channel.
void RepeatChannels(const float* in, int64_t count, int64_t repeat, float* out, ThreadPool& pool) {
  pool.ParallelFor(count, 16 * 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t r = 0; r < repeat; ++r) out[i * repeat + r] = in[i];
    }
  });
}

}  // namespace

ConvMethod ChooseConvMethod(const ConvShape& s) {
  const int64_t depth = s.in_c / s.groups;
  const int64_t taps = s.kernel_h * s.kernel_w;
  if (s.groups > 1 && depth == 1 && s.out_c / s.groups <= kMaxRepeat) return ConvMethod::kDepthwise;
  const bool in_place = taps == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 &&
                        s.pad_left == 0 && s.out_h == s.in_h && s.out_w == s.in_w && s.groups == 1;
  if (in_place) return ConvMethod::kPointwise;
  const bool rows = s.groups == 1 && depth < kFewChannels && s.dilation_w == 1 && s.kernel_w > 1;
  return rows ? ConvMethod::kRows : ConvMethod::kIndirect;
}

ConvMethod ChooseFloatConvMethod(const ConvShape& s) {
  const ConvMethod direct = ChooseConvMethod(s);
  if (direct != ConvMethod::kIndirect) return direct;
  const int tile = ChooseWinogradTile(s);
  if (tile == 0) return direct;
  return tile == 2 ? ConvMethod::kWinograd2 : ConvMethod::kWinograd4;
}

PackedConv::PackedConv(const ConvShape& shape, const PackedConv& other)
    : shape_(shape),
      method_(IsWinograd(other.method_) ? other.method_ : ChooseConvMethod(shape)),
      repeat_(other.repeat_),
      weights_(other.weights_) {}

PackedConv::PackedConv(const ConvShape& s, const float* weights, const float* bias) {
  ThreadPool one(1);
  *this = PackedConv(s, ChooseFloatConvMethod(s), weights, bias, one);
}

PackedConv::PackedConv(const ConvShape& s, ConvMethod method, const float* weights,
                       const float* bias, ThreadPool& pool)
    : shape_(s), method_(method) {
  auto packed = std::make_shared<Weights>();
  weights_ = packed;
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t depth = s.in_c / s.groups;
  const int64_t columns = s.out_c / s.groups;
  if (method_ == ConvMethod::kDepthwise) {
    repeat_ = columns;
    packed->depthwise = PackDepthwise(s, weights, 1.0f, bias);
    return;
  }
  if (IsWinograd(method_)) {
    packed->winograd = std::make_unique<const WinogradWeights>(
        PackWinograd(s, WinogradTile(method_), weights, bias, pool));
    return;
  }
  for (int64_t g = 0; g < s.groups; ++g) {
    packed->groups.emplace_back(weights + g * columns * depth * taps, taps, depth, columns,
                                bias == nullptr ? nullptr : bias + g * columns, pool);
  }
  for (const PackedMatrix& group : packed->groups) packed->views.push_back(group.view());
  packed->zeros.Reserve(depth * s.kernel_w);
  std::fill_n(packed->zeros.data(), depth * s.kernel_w, 0.0f);
}

int64_t PackedConv::ScratchFloats() const {
  if (IsWinograd(method_)) return WinogradScratchFloats(shape_, WinogradTile(method_));
  if (repeat_ == 1) return 0;
  return shape_.batch * shape_.in_h * shape_.in_w * shape_.out_c;
}

void PackedConv::Run(const float* in, const Destination& out, float* scratch,
                     std::span<const Step> steps, ThreadPool& pool) const {
  const ConvShape& s = shape_;
  if (IsWinograd(method_)) {
    return RunWinograd(s, *weights_->winograd, in, out, scratch, steps, pool);
  }
  if (method_ == ConvMethod::kDepthwise) {
    ConvShape own = s;
    if (repeat_ > 1) {
      RepeatChannels(in, s.batch * s.in_h * s.in_w * s.in_c, repeat_, scratch, pool);
      in = scratch;
      own.in_c = s.out_c;
    }
    RunDepthwise(own, in, 0, weights_->depthwise, out, steps, pool);
    return;
  }
  const TileProblem problem = ProductOf(s, method_, out, steps, sizeof(float));
  const Tile compute = ChooseTile();
  RunTiles<const float*>(
      problem, pool,
      [&](int64_t group, int64_t row, int rows, int64_t slot, const float** to) {
        FillConv<float>(s, method_, in, weights_->zeros.data(), group, row, rows, slot, to);
      },
      [&](int64_t group, int64_t panel) {
        const PackedView& view = weights_->views[static_cast<size_t>(group)];
        return [compute, args = PanelArgs(view, panel, problem.taps)](
                   const float* const* rows, const TileEpilogue& end) mutable {
          args.a = rows;
          compute(args, end);
        };
      });
}

PackedConvTranspose::PackedConvTranspose(const ConvShape& s, const float* weights,
                                         const float* bias)
    : shape_(s) {
  // Each of our input pixels times a matrix gives its contribution to every tap of its window.
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t depth = s.out_c / s.groups;
  const int64_t channels = s.in_c / s.groups;
  Weights packed;
  std::vector<float> matrix(static_cast<size_t>(depth * taps * channels));
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t k = 0; k < depth; ++k) {
      const float* filter = weights + (g * depth + k) * channels * taps;
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t t = 0; t < taps; ++t) {
          matrix[static_cast<size_t>((k * taps + t) * channels + c)] = filter[c * taps + t];
        }
      }
    }
    packed.groups.emplace_back(matrix.data(), depth, taps * channels, taps * channels, 1, nullptr);
  }
  packed.bias.assign(static_cast<size_t>(s.in_c), 0.0f);
  if (bias != nullptr) std::copy_n(bias, s.in_c, packed.bias.data());
  weights_ = std::make_shared<const Weights>(std::move(packed));
}

int64_t PackedConvTranspose::ScratchFloats() const {
  const ConvShape& s = shape_;
  return s.batch * s.out_h * s.out_w * s.kernel_h * s.kernel_w * s.in_c;
}

void PackedConvTranspose::Run(const float* in, float* out, float* scratch,
                              std::span<const Step> steps, ThreadPool& pool) const {
  const ConvShape& s = shape_;
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t depth = s.out_c / s.groups;
  const int64_t channels = s.in_c / s.groups;
  const int64_t pixels = s.batch * s.out_h * s.out_w;
  for (int64_t g = 0; g < s.groups; ++g) {
    Gemm(in + g * depth, s.out_c, pixels, weights_->groups[g].view(), scratch + g * taps * channels,
         taps * s.in_c, {}, pool);
  }
  // Gather, not scatter: each output pixel sums its taps in order, whatever the threads.
  const int64_t grain = std::max<int64_t>(1, 20'000 / std::max<int64_t>(1, s.in_w * s.in_c));
  pool.ParallelFor(s.batch * s.in_h, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t image = row / s.in_h;
      const int64_t y = row % s.in_h + s.pad_top;
      for (int64_t x = 0; x < s.in_w; ++x) {
        float* to = out + (row * s.in_w + x) * s.in_c;
        std::copy_n(weights_->bias.data(), s.in_c, to);
        for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
          const int64_t sy = y - ky * s.dilation_h;
          if (sy < 0 || sy % s.stride_h != 0 || sy / s.stride_h >= s.out_h) continue;
          for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
            const int64_t sx = x + s.pad_left - kx * s.dilation_w;
            if (sx < 0 || sx % s.stride_w != 0 || sx / s.stride_w >= s.out_w) continue;
            const int64_t pixel = (image * s.out_h + sy / s.stride_h) * s.out_w + sx / s.stride_w;
            for (int64_t g = 0; g < s.groups; ++g) {
              const float* from =
                  scratch + ((pixel * s.groups + g) * taps + ky * s.kernel_w + kx) * channels;
              float* sum = to + g * channels;
              for (int64_t c = 0; c < channels; ++c) sum[c] += from[c];
            }
          }
        }
      }
      if (!steps.empty()) ApplySteps(steps, out, s.in_c, row * s.in_w, s.in_w, 0, s.in_c);
    }
  });
}

}  // namespace anemone::cpu
