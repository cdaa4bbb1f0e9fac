// avg_pool, max_pool and l2_pool: reference kernels. 1-D and 2-D inputs are seen as 3-D with
// leading spatial dimensions of 1.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/spatial.h"
#include "ops/ops.h"

namespace anemone::ops::pool {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::MutableTensor;

constexpr int kSpatial = 3;

// The part of one window along one dimension.
struct Span {
  int64_t begin = 0, end = 0;  // inside the input
  int64_t length = 0;          // inside the input and its padding
};

Span SpanAt(int64_t position, int64_t input, const ir::WindowDim& window) {
  const int64_t start = position * window.stride - window.pad_before;
  // With ceil_mode the last window may reach past the padding; elements there do not count.
  const int64_t stop = std::min(start + window.kernel, input + window.pad_after);
  Span span;
  span.length = stop - start;
  span.begin = std::max<int64_t>(start, 0);
  span.end = std::max(span.begin, std::min(stop, input));
  return span;
}

// Each pooling is a fold over the elements of one window.
struct Mean {
  bool exclude_padding;
  double sum = 0;
  int64_t count = 0;
  void Add(float value) {
    sum += value;
    ++count;
  }
  double Finish(int64_t window_size) const {
    const int64_t divisor = exclude_padding ? count : window_size;
    return divisor > 0 ? sum / static_cast<double>(divisor) : 0.0;
  }
};
struct Largest {
  double best = -std::numeric_limits<double>::infinity();
  void Add(float value) {
    if (value > best || std::isnan(value)) best = value;
  }
  double Finish(int64_t) const { return best; }
};
struct RootOfSquares {
  double sum = 0;
  void Add(float value) { sum += static_cast<double>(value) * value; }
  double Finish(int64_t) const { return std::sqrt(sum); }
};

template <typename Reducer>
Status RunPool(KernelContext& context, const Reducer& initial) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const std::vector<int64_t> kernel, context.args().Ints("kernel_sizes"));
  ANEMONE_ASSIGN(const bool ceil_mode, context.args().Bool("ceil_mode"));
  ANEMONE_ASSIGN(ir::Windows windows, ir::ReadWindows(context.args(), kernel, {}));
  ANEMONE_ASSIGN(const MutableTensor y, context.Output());

  int64_t in[kSpatial] = {1, 1, 1};
  int64_t out[kSpatial] = {1, 1, 1};
  ir::WindowDim window[kSpatial];
  const size_t missing = kSpatial - windows.dims.size();
  for (size_t i = 0; i < windows.dims.size(); ++i) {
    in[missing + i] = x.shape[i + 2];
    out[missing + i] = y.shape[i + 2];
    ANEMONE_TRY(ir::PlaceWindow(x.shape[i + 2], windows.pad_type, ceil_mode, &windows.dims[i]));
    window[missing + i] = windows.dims[i];
  }

  const float* plane = x.As<float>();
  float* result = y.As<float>();
  for (int64_t p = 0; p < x.shape[0] * x.shape[1]; ++p, plane += in[0] * in[1] * in[2]) {
    for (int64_t od = 0; od < out[0]; ++od) {
      const Span d = SpanAt(od, in[0], window[0]);
      for (int64_t oh = 0; oh < out[1]; ++oh) {
        const Span h = SpanAt(oh, in[1], window[1]);
        for (int64_t ow = 0; ow < out[2]; ++ow) {
          const Span w = SpanAt(ow, in[2], window[2]);
          Reducer reducer = initial;
          for (int64_t id = d.begin; id < d.end; ++id) {
            for (int64_t ih = h.begin; ih < h.end; ++ih) {
              const float* row = plane + (id * in[1] + ih) * in[2];
              for (int64_t iw = w.begin; iw < w.end; ++iw) reducer.Add(row[iw]);
            }
          }
          *result++ = static_cast<float>(reducer.Finish(d.length * h.length * w.length));
        }
      }
    }
  }
  return {};
}

Status AvgPool(KernelContext& context) {
  ANEMONE_ASSIGN(const bool exclude, context.args().Bool("exclude_padding_from_average"));
  return RunPool(context, Mean{.exclude_padding = exclude});
}
Status MaxPool(KernelContext& context) { return RunPool(context, Largest{}); }
Status L2Pool(KernelContext& context) { return RunPool(context, RootOfSquares{}); }

constexpr exec::KernelEntry kKernels[] = {
    {"avg_pool", AvgPool}, {"l2_pool", L2Pool}, {"max_pool", MaxPool}};

}  // namespace

std::span<const exec::KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::pool
