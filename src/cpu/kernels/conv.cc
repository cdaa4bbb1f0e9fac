#include "cpu/kernels/conv.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "cpu/kernels/depthwise.h"
#include "cpu/kernels/gemm_tile.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {
namespace {

constexpr int64_t kMaxRepeat = 4;     // filters per channel that count as depthwise
constexpr int64_t kFewChannels = 16;  // below, one tap is too short a loop: read whole kernel rows

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

// Each channel of `in` `repeat` times, so that every filter has its own channel.
void RepeatChannels(const float* in, int64_t count, int64_t repeat, float* out, ThreadPool& pool) {
  pool.ParallelFor(count, 16 * 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t r = 0; r < repeat; ++r) out[i * repeat + r] = in[i];
    }
  });
}

}  // namespace

PackedConv::Method PackedConv::Choose(const ConvShape& s) {
  const int64_t depth = s.in_c / s.groups;
  const int64_t taps = s.kernel_h * s.kernel_w;
  if (s.groups > 1 && depth == 1 && s.out_c / s.groups <= kMaxRepeat) return Method::kDepthwise;
  const bool in_place = taps == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 &&
                        s.pad_left == 0 && s.out_h == s.in_h && s.out_w == s.in_w && s.groups == 1;
  if (in_place) return Method::kPointwise;
  const bool rows = s.groups == 1 && depth < kFewChannels && s.dilation_w == 1 && s.kernel_w > 1;
  return rows ? Method::kRows : Method::kIndirect;
}

PackedConv::PackedConv(const ConvShape& shape, const PackedConv& other)
    : shape_(shape), method_(Choose(shape)), repeat_(other.repeat_), weights_(other.weights_) {}

PackedConv::PackedConv(const ConvShape& s, const float* weights, const float* bias)
    : shape_(s), method_(Choose(s)) {
  auto packed = std::make_shared<Weights>();
  weights_ = packed;
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t depth = s.in_c / s.groups;
  const int64_t columns = s.out_c / s.groups;
  if (method_ == Method::kDepthwise) {
    repeat_ = columns;
    const int64_t stride = PackedColumns(s.out_c);
    packed->depthwise.Reserve((taps + 1) * stride);
    float* to = packed->depthwise.data();
    std::fill_n(to, (taps + 1) * stride, 0.0f);
    for (int64_t c = 0; c < s.out_c; ++c) {
      for (int64_t t = 0; t < taps; ++t) to[t * stride + c] = weights[c * taps + t];
      if (bias != nullptr) to[taps * stride + c] = bias[c];
    }
    return;
  }
  // The matrix of a group has a row per (tap, channel) and a column per output channel.
  std::vector<float> matrix(static_cast<size_t>(taps * depth * columns));
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t n = 0; n < columns; ++n) {
      const float* filter = weights + (g * columns + n) * depth * taps;
      for (int64_t c = 0; c < depth; ++c) {
        for (int64_t t = 0; t < taps; ++t) {
          matrix[static_cast<size_t>((t * depth + c) * columns + n)] = filter[c * taps + t];
        }
      }
    }
    packed->groups.emplace_back(matrix.data(), taps * depth, columns, columns, 1,
                                bias == nullptr ? nullptr : bias + g * columns);
  }
  for (const PackedMatrix& group : packed->groups) packed->views.push_back(group.view());
  packed->zeros.Reserve(depth * s.kernel_w);
  std::fill_n(packed->zeros.data(), depth * s.kernel_w, 0.0f);
}

void PackedConv::FillIndirect(const float* in, int64_t group, int64_t row, int rows,
                              const float** out) const {
  const ConvShape& s = shape_;
  const float* base = in + group * (s.in_c / s.groups);
  Pixel pixel(s, row);
  for (int r = 0; r < rows; ++r, pixel.Next(s)) {
    const float** to = out + r;
    const int64_t y0 = pixel.y * s.stride_h - s.pad_top;
    const int64_t x0 = pixel.x * s.stride_w - s.pad_left;
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const int64_t y = y0 + ky * s.dilation_h;
      const bool inside = y >= 0 && y < s.in_h;
      const float* line = base + ((pixel.image * s.in_h + (inside ? y : 0)) * s.in_w) * s.in_c;
      for (int64_t kx = 0; kx < s.kernel_w; ++kx, to += rows) {
        const int64_t x = x0 + kx * s.dilation_w;
        *to = inside && x >= 0 && x < s.in_w ? line + x * s.in_c : weights_->zeros.data();
      }
    }
  }
}

// One pointer per kernel row, to kernel_w * in_c values: into the image, or, where the row crosses
// the left or right border, to a copy with zeros in `scratch` (room for rows * kernel_h * kernel_w
// * in_c values).
void PackedConv::FillRows(const float* in, int64_t row, int rows, float* scratch,
                          const float** out) const {
  const ConvShape& s = shape_;
  const int64_t depth = s.kernel_w * s.in_c;
  Pixel pixel(s, row);
  for (int r = 0; r < rows; ++r, pixel.Next(s)) {
    const int64_t y0 = pixel.y * s.stride_h - s.pad_top;
    const int64_t x0 = pixel.x * s.stride_w - s.pad_left;
    const int64_t begin = std::clamp<int64_t>(-x0, 0, s.kernel_w);
    const int64_t end = std::clamp<int64_t>(s.in_w - x0, begin, s.kernel_w);
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const float*& to = out[ky * rows + r];
      const int64_t y = y0 + ky * s.dilation_h;
      if (y < 0 || y >= s.in_h || begin == end) {
        to = weights_->zeros.data();
        continue;
      }
      const float* line = in + (pixel.image * s.in_h + y) * s.in_w * s.in_c;
      if (begin == 0 && end == s.kernel_w) {
        to = line + x0 * s.in_c;
        continue;
      }
      std::fill_n(scratch, begin * s.in_c, 0.0f);
      std::copy_n(line + (x0 + begin) * s.in_c, (end - begin) * s.in_c, scratch + begin * s.in_c);
      std::fill_n(scratch + end * s.in_c, (s.kernel_w - end) * s.in_c, 0.0f);
      to = scratch;
      scratch += depth;
    }
  }
}

int64_t PackedConv::ScratchFloats() const {
  if (repeat_ == 1) return 0;
  return shape_.batch * shape_.in_h * shape_.in_w * shape_.out_c;
}

void PackedConv::Run(const float* in, float* out, float* scratch, std::span<const Step> steps,
                     ThreadPool& pool) const {
  const ConvShape& s = shape_;
  if (method_ == Method::kDepthwise) {
    ConvShape own = s;
    if (repeat_ > 1) {
      RepeatChannels(in, s.batch * s.in_h * s.in_w * s.in_c, repeat_, scratch, pool);
      in = scratch;
      own.in_c = s.out_c;
    }
    const int64_t row_flops = s.out_w * s.out_c * s.kernel_h * s.kernel_w * 2;
    const int64_t grain = std::max<int64_t>(1, 100'000 / std::max<int64_t>(row_flops, 1));
    pool.ParallelFor(s.batch * s.out_h, grain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        DepthwiseRows(own, in, weights_->depthwise.data(), out, row, row + 1);
        if (!steps.empty()) ApplySteps(steps, out, s.out_c, row * s.out_w, s.out_w, 0, s.out_c);
      }
    });
    return;
  }
  TileProblem problem;
  problem.m = s.batch * s.out_h * s.out_w;
  problem.taps = s.kernel_h * s.kernel_w;
  problem.depth = s.in_c / s.groups;
  problem.b = weights_->views;
  problem.c = out;
  problem.c_stride = s.out_c;
  problem.steps = steps;
  problem.a_floats = s.batch * s.in_h * s.in_w * (s.in_c / s.groups);
  switch (method_) {
    case Method::kPointwise:
      RunTiles(problem, pool, [&](int64_t, int64_t row, int rows, int64_t slot, const float** to) {
        for (int r = 0; r < rows; ++r) to[r] = in + (row + r) * s.in_c;
        SeparateRows(s.in_c, s.in_c, rows, slot, to);
      });
      return;
    case Method::kRows: {
      problem.taps = s.kernel_h;
      problem.depth = s.kernel_w * s.in_c;
      const int64_t tile_floats = MaxTileRows() * problem.taps * problem.depth;
      RunTiles(problem, pool, [&](int64_t, int64_t row, int rows, int64_t slot, const float** to) {
        thread_local std::vector<Floats> borders;
        if (static_cast<size_t>(slot) >= borders.size()) borders.resize(slot + 1);
        borders[slot].Reserve(tile_floats);
        FillRows(in, row, rows, borders[slot].data(), to);
      });
      return;
    }
    default:
      RunTiles(problem, pool,
               [&](int64_t group, int64_t row, int rows, int64_t slot, const float** to) {
                 FillIndirect(in, group, row, rows, to);
                 if (problem.taps == 1) {
                   SeparateRows(s.in_c * s.stride_w, problem.depth, rows, slot, to);
                 }
               });
  }
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
