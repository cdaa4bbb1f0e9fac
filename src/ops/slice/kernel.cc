#include <algorithm>
#include <array>

#include "exec/indexing.h"
#include "ops/ops.h"
#include "ops/slice/ranges.h"

namespace anemone::ops::slice {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;
using ir::Shape;

// The position of a slice in a contiguous tensor: element index (i0, i1 ...) of the slice, squeezed
// dimensions counting as 1, is at start + i0 * strides[0] + ...
struct Window {
  Shape shape;
  exec::Strides strides;
  int64_t start = 0;
};

Window MakeWindow(const std::vector<Range>& ranges, const Shape& shape) {
  Window window;
  window.strides = exec::RowMajorStrides(shape);
  for (size_t i = 0; i < ranges.size(); ++i) {
    window.shape.push_back(ranges[i].count);
    window.start += ranges[i].first * window.strides[i];
    window.strides[i] *= ranges[i].step;
  }
  return window;
}

Status CopyOut(const ConstTensor& x, const Window& window, const MutableTensor& out) {
  if (ir::ElementCount(window.shape) != out.count()) {
    return Internal("a slice of shape {} does not fill an output of shape {}",
                    ir::ShapeToString(window.shape), ir::ShapeToString(out.shape));
  }
  return exec::DispatchWidth(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    T* to = out.As<T>();
    const T* from = x.As<T>();
    exec::ForEachOffset<1>(window.shape, {window.strides}, {window.start},
                           [&](const auto& at) { *to++ = from[at[0]]; });
    return {};
  });
}

Status SliceByIndex(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(std::vector<Range> ranges, SliceRanges(context.args()));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  return CopyOut(x, MakeWindow(ranges, x.shape), out);
}

Status SliceUpdate(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(ConstTensor update, context.Input("update"));
  ANEMONE_ASSIGN(std::vector<Range> ranges, SliceRanges(context.args()));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const Window window = MakeWindow(ranges, x.shape);
  // Inference checks this only when it knows begin and end, so it is checked again here.
  if (ir::ElementCount(window.shape) != update.count()) {
    return InvalidInput("update has shape {}, the slice has shape {}",
                        ir::ShapeToString(update.shape), ir::ShapeToString(window.shape));
  }
  return exec::DispatchWidth(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    std::copy_n(x.As<T>(), x.count(), out.As<T>());
    const T* from = update.As<T>();
    T* to = out.As<T>();
    exec::ForEachOffset<1>(window.shape, {window.strides}, {window.start},
                           [&](const auto& at) { to[at[0]] = *from++; });
    return {};
  });
}

Status SliceBySize(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(std::vector<int64_t> begin, context.args().Ints("begin"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  Window window{out.shape, exec::RowMajorStrides(x.shape)};
  for (size_t i = 0; i < begin.size(); ++i) {
    const int64_t first = begin[i] < 0 ? begin[i] + x.shape[i] : begin[i];
    // Inference checks this only when it knows begin, so it is checked again here.
    if (first < 0 || first > x.shape[i] - out.shape[i]) {
      return InvalidInput("{} elements from {} exceed dimension {} of size {}", out.shape[i],
                          begin[i], i, x.shape[i]);
    }
    window.start += first * window.strides[i];
  }
  return CopyOut(x, window, out);
}

Status SlidingWindows(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  ANEMONE_ASSIGN(int64_t stride, context.args().Int("stride"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  if (axis < 0) axis += x.rank();
  // Windows overlap in x: both the window number and the place in it move along the axis.
  Window window{out.shape, exec::RowMajorStrides(x.shape)};
  const int64_t along = window.strides[static_cast<size_t>(axis)];
  window.strides[static_cast<size_t>(axis)] = along * stride;
  window.strides.insert(window.strides.begin() + axis + 1, along);
  return CopyOut(x, window, out);
}

Status Split(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  if (axis < 0) axis += x.rank();
  const exec::AxisView view = exec::ViewAtAxis(x.shape, static_cast<size_t>(axis));
  int64_t first = 0;
  for (size_t part = 0; part < context.OutputCount(); ++part) {
    ANEMONE_ASSIGN(MutableTensor out, context.Output(part));
    const int64_t size = out.shape[static_cast<size_t>(axis)];
    ANEMONE_TRY(exec::DispatchWidth(x.dtype, [&](auto zero) -> Status {
      using T = decltype(zero);
      for (int64_t o = 0; o < view.outer; ++o) {
        std::copy_n(x.As<T>() + (o * view.size + first) * view.inner, size * view.inner,
                    out.As<T>() + o * size * view.inner);
      }
      return {};
    }));
    first += size;
  }
  return {};
}

constexpr std::array<KernelEntry, 5> kKernels{{
    {"slice_by_index", SliceByIndex},
    {"slice_by_size", SliceBySize},
    {"slice_update", SliceUpdate},
    {"sliding_windows", SlidingWindows},
    {"split", Split},
}};

}  // namespace

std::span<const KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::slice
