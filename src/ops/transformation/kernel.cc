#include <algorithm>
#include <array>

#include "exec/indexing.h"
#include "ops/ops.h"
#include "ops/transformation/spatial.h"

namespace anemone::ops::transformation {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;
using ir::Shape;

// reshape, reshape_like, expand_dims, squeeze: the same elements in the same order.
Status Copy(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  // Inference may have seen the shape while the sizes of x were still dynamic.
  if (x.count() != out.count()) {
    return InvalidInput("x of shape {} does not have as many elements as shape {}",
                        ir::ShapeToString(x.shape), ir::ShapeToString(out.shape));
  }
  return exec::CopyElements(x, out);
}

// Element (i0, i1 ...) of the output is x[start + i0 * strides[0] + ...].
Status Gather(const ConstTensor& x, const exec::Strides& strides, int64_t start,
              const MutableTensor& out) {
  return exec::DispatchWidth(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    const T* from = x.As<T>();
    T* to = out.As<T>();
    exec::ForEachOffset<1>(out.shape, {strides}, {start},
                           [&](const auto& at) { *to++ = from[at[0]]; });
    return {};
  });
}

Status Transpose(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(std::vector<int64_t> perm, context.args().Ints("perm"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const exec::Strides own = exec::RowMajorStrides(x.shape);
  exec::Strides strides;
  for (int64_t axis : perm) {
    strides.push_back(own[static_cast<size_t>(axis < 0 ? axis + x.rank() : axis)]);
  }
  return Gather(x, strides, 0, out);
}

Status Reverse(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  std::vector<bool> reversed(x.shape.size(), true);
  if (context.args().Has("axes")) {
    ANEMONE_ASSIGN(std::vector<int64_t> axes, context.args().Ints("axes"));
    reversed.assign(x.shape.size(), false);
    for (int64_t axis : axes) {
      reversed[static_cast<size_t>(axis < 0 ? axis + x.rank() : axis)] = true;
    }
  }
  exec::Strides strides = exec::RowMajorStrides(x.shape);
  int64_t start = 0;
  for (size_t d = 0; d < strides.size(); ++d) {
    if (!reversed[d]) continue;
    start += (x.shape[d] - 1) * strides[d];
    strides[d] = -strides[d];
  }
  return Gather(x, strides, start, out);
}

Status ReverseSequence(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(ConstTensor given, context.Input("lengths"));
  ANEMONE_ASSIGN(int64_t seq, context.args().Int("seq_axis"));
  ANEMONE_ASSIGN(int64_t batch, context.args().Int("batch_axis"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const auto seq_axis = static_cast<size_t>(seq < 0 ? seq + x.rank() : seq);
  const auto batch_axis = static_cast<size_t>(batch < 0 ? batch + x.rank() : batch);
  const exec::Strides strides = exec::RowMajorStrides(x.shape);
  const int64_t size = x.shape[seq_axis];
  std::vector<int64_t> lengths(static_cast<size_t>(given.count()));
  ANEMONE_TRY(exec::DispatchDType(given.dtype, [&](auto zero) -> Status {
    std::copy_n(given.As<decltype(zero)>(), lengths.size(), lengths.begin());
    return {};
  }));
  for (int64_t length : lengths) {
    if (length < 0 || length > size) {
      return InvalidInput("length {} on a sequence axis of size {}", length, size);
    }
  }
  return exec::DispatchWidth(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    const int64_t count = out.count();
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = i / strides[seq_axis] % size;
      const int64_t b = i / strides[batch_axis] % x.shape[batch_axis];
      const int64_t length = lengths[static_cast<size_t>(b)];
      const int64_t source = at < length ? length - 1 - at : at;
      out.As<T>()[i] = x.As<T>()[i + (source - at) * strides[seq_axis]];
    }
    return {};
  });
}

}  // namespace

std::span<const KernelEntry> Kernels() {
  static const std::vector<KernelEntry> kernels = [] {
    std::vector<KernelEntry> list = {
        {"expand_dims", Copy},
        {"reshape", Copy},
        {"reshape_like", Copy},
        {"reverse", Reverse},
        {"reverse_sequence", ReverseSequence},
        {"squeeze", Copy},
        {"transpose", Transpose},
    };
    std::ranges::copy(SpatialKernels(), std::back_inserter(list));
    return list;
  }();
  return kernels;
}

}  // namespace anemone::ops::transformation
