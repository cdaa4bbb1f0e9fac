// conv and conv_transpose: reference kernels. Both see 1-D and 2-D inputs as 3-D with leading
// spatial dimensions of 1, and build the output row by row in double precision.
#include <algorithm>

#include "ir/spatial.h"
#include "ops/ops.h"

namespace anemone::ops::conv {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::MutableTensor;
using exec::Shape;

constexpr int kSpatial = 3;

// x is [batch, in_channels, in...], the output [batch, out_channels, out...].
struct Geometry {
  int64_t batch = 0, in_channels = 0, out_channels = 0, groups = 1;
  int64_t in[kSpatial] = {1, 1, 1};
  int64_t out[kSpatial] = {1, 1, 1};
  ir::WindowDim window[kSpatial];

  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t out_size() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return window[0].kernel * window[1].kernel * window[2].kernel; }
};

struct Operands {
  Geometry geometry;
  ir::PadType pad_type;
  const float* x;
  const float* weight;
  const float* bias = nullptr;
  float* y;
};

// Reads arguments and sizes; the padding of pad_type same is left to the kernel.
Result<Operands> ReadOperands(KernelContext& context) {
  Operands operands;
  Geometry& g = operands.geometry;
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const ConstTensor weight, context.Input("weight"));
  ANEMONE_ASSIGN(g.groups, context.args().Int("groups"));
  ANEMONE_ASSIGN(
      const ir::Windows windows,
      ir::ReadWindows(context.args(), {weight.shape.begin() + 2, weight.shape.end()}, {}));
  ANEMONE_ASSIGN(MutableTensor y, context.Output());
  const size_t missing = kSpatial - windows.dims.size();
  for (size_t i = 0; i < windows.dims.size(); ++i) {
    g.in[missing + i] = x.shape[i + 2];
    g.out[missing + i] = y.shape[i + 2];
    g.window[missing + i] = windows.dims[i];
  }
  g.batch = x.shape[0];
  g.in_channels = x.shape[1];
  g.out_channels = y.shape[1];
  operands.pad_type = windows.pad_type;
  operands.x = x.As<float>();
  operands.weight = weight.As<float>();
  operands.y = y.As<float>();
  if (context.Has("bias")) {
    ANEMONE_ASSIGN(const ConstTensor bias, context.Input("bias"));
    operands.bias = bias.As<float>();
  }
  return operands;
}

// The positions p in [0, positions) at which p * stride + offset lies in [0, size): a half-open
// range.
struct Range {
  int64_t begin, end;
};
Range PositionsInside(int64_t positions, int64_t stride, int64_t offset, int64_t size) {
  const int64_t begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const int64_t last = size - 1 - offset;
  const int64_t end = last < 0 ? 0 : std::min(positions, last / stride + 1);
  return {begin, std::max(begin, end)};
}

Status Conv(KernelContext& context) {
  ANEMONE_ASSIGN(Operands operands, ReadOperands(context));
  Geometry& g = operands.geometry;
  for (int i = 0; i < kSpatial; ++i) {
    ANEMONE_TRY(ir::PlaceWindow(g.in[i], operands.pad_type, /*ceil_mode=*/false, &g.window[i]));
  }
  const auto& [wd, wh, ww] = g.window;
  const int64_t in_group = g.in_channels / g.groups;
  const int64_t out_group = g.out_channels / g.groups;
  std::vector<double> row(static_cast<size_t>(g.out[2]));

  // One channel of the input against one kernel, for the output row (od, oh).
  const auto add_channel = [&](const float* plane, const float* taps, int64_t od, int64_t oh) {
    for (int64_t kd = 0; kd < wd.kernel; ++kd) {
      const int64_t id = od * wd.stride + kd * wd.dilation - wd.pad_before;
      if (id < 0 || id >= g.in[0]) continue;
      for (int64_t kh = 0; kh < wh.kernel; ++kh) {
        const int64_t ih = oh * wh.stride + kh * wh.dilation - wh.pad_before;
        if (ih < 0 || ih >= g.in[1]) continue;
        const float* in_row = plane + (id * g.in[1] + ih) * g.in[2];
        for (int64_t kw = 0; kw < ww.kernel; ++kw) {
          const double tap = taps[(kd * wh.kernel + kh) * ww.kernel + kw];
          const int64_t offset = kw * ww.dilation - ww.pad_before;
          const Range range = PositionsInside(g.out[2], ww.stride, offset, g.in[2]);
          for (int64_t ow = range.begin; ow < range.end; ++ow) {
            row[static_cast<size_t>(ow)] += tap * in_row[ow * ww.stride + offset];
          }
        }
      }
    }
  };

  float* y = operands.y;
  for (int64_t n = 0; n < g.batch; ++n) {
    for (int64_t oc = 0; oc < g.out_channels; ++oc) {
      const int64_t first_channel = n * g.in_channels + oc / out_group * in_group;
      for (int64_t od = 0; od < g.out[0]; ++od) {
        for (int64_t oh = 0; oh < g.out[1]; ++oh) {
          std::fill(row.begin(), row.end(), operands.bias ? operands.bias[oc] : 0.0);
          for (int64_t ic = 0; ic < in_group; ++ic) {
            add_channel(operands.x + (first_channel + ic) * g.in_size(),
                        operands.weight + (oc * in_group + ic) * g.taps(), od, oh);
          }
          y = std::copy(row.begin(), row.end(), y);
        }
      }
    }
  }
  return {};
}

// The padding that a convolution from the output back to the input would have under pad_type same:
// the amount cut off the full transposed result. When the strides leave gaps (kernel < stride)
// nothing is cut and the end stays empty.
int64_t SameCrop(int64_t input, int64_t output, const ir::WindowDim& window) {
  const int64_t full = (input - 1) * window.stride + window.extent();
  return std::max<int64_t>(0, full - output) / 2;
}

Status ConvTranspose(KernelContext& context) {
  ANEMONE_ASSIGN(Operands operands, ReadOperands(context));
  Geometry& g = operands.geometry;
  if (operands.pad_type == ir::PadType::kSame) {
    for (int i = 0; i < kSpatial; ++i)
      g.window[i].pad_before = SameCrop(g.in[i], g.out[i], g.window[i]);
  }
  const auto& [wd, wh, ww] = g.window;
  const int64_t in_group = g.in_channels / g.groups;
  const int64_t out_group = g.out_channels / g.groups;
  std::vector<double> plane(static_cast<size_t>(g.out_size()));

  // Spreads one channel of the input over the output plane.
  const auto add_channel = [&](const float* in, const float* taps) {
    for (int64_t id = 0; id < g.in[0]; ++id) {
      for (int64_t ih = 0; ih < g.in[1]; ++ih) {
        for (int64_t kd = 0; kd < wd.kernel; ++kd) {
          const int64_t od = id * wd.stride + kd * wd.dilation - wd.pad_before;
          if (od < 0 || od >= g.out[0]) continue;
          for (int64_t kh = 0; kh < wh.kernel; ++kh) {
            const int64_t oh = ih * wh.stride + kh * wh.dilation - wh.pad_before;
            if (oh < 0 || oh >= g.out[1]) continue;
            const float* in_row = in + (id * g.in[1] + ih) * g.in[2];
            double* out_row = plane.data() + (od * g.out[1] + oh) * g.out[2];
            for (int64_t kw = 0; kw < ww.kernel; ++kw) {
              const double tap = taps[(kd * wh.kernel + kh) * ww.kernel + kw];
              const int64_t offset = kw * ww.dilation - ww.pad_before;
              const Range range = PositionsInside(g.in[2], ww.stride, offset, g.out[2]);
              for (int64_t iw = range.begin; iw < range.end; ++iw) {
                out_row[iw * ww.stride + offset] += tap * in_row[iw];
              }
            }
          }
        }
      }
    }
  };

  float* y = operands.y;
  for (int64_t n = 0; n < g.batch; ++n) {
    for (int64_t oc = 0; oc < g.out_channels; ++oc) {
      std::fill(plane.begin(), plane.end(), operands.bias ? operands.bias[oc] : 0.0);
      for (int64_t i = 0; i < in_group; ++i) {
        const int64_t ic = oc / out_group * in_group + i;
        add_channel(operands.x + (n * g.in_channels + ic) * g.in_size(),
                    operands.weight + (ic * out_group + oc % out_group) * g.taps());
      }
      y = std::copy(plane.begin(), plane.end(), y);
    }
  }
  return {};
}

constexpr exec::KernelEntry kKernels[] = {{"conv", Conv}, {"conv_transpose", ConvTranspose}};

}  // namespace

std::span<const exec::KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::conv
