#include <algorithm>
#include <array>
#include <cstring>

#include "exec/indexing.h"
#include "exec/integer_math.h"
#include "ops/ops.h"
#include "ops/tensor_ops/selection.h"

namespace anemone::ops::tensor_ops {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;
using ir::Shape;

Status BandPart(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(int64_t lower, context.args().Int("lower"));
  ANEMONE_ASSIGN(int64_t upper, context.args().Int("upper"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const int64_t rows = x.shape[x.shape.size() - 2];
  const int64_t columns = x.shape.back();
  return exec::DispatchWidth(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    const int64_t count = out.count();
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = i / columns % rows;
      const int64_t column = i % columns;
      const bool keep =
          (lower < 0 || row - column <= lower) && (upper < 0 || column - row <= upper);
      out.As<T>()[i] = keep ? x.As<T>()[i] : T{0};
    }
    return {};
  });
}

// Copies each value, seen as slabs of `block` elements, round-robin into the output: with block =
// size * inner a slab is the part of the value under one index of the outer dimensions;
// interleaving takes one slice at a time.
Status Join(KernelContext& context, size_t axis, bool interleave) {
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  std::vector<ConstTensor> values;
  for (size_t i = 0; i < context.Count("values"); ++i) {
    ANEMONE_ASSIGN(ConstTensor value, context.Input("values", i));
    values.push_back(std::move(value));
  }
  std::vector<int64_t> blocks;
  for (const ConstTensor& value : values) {
    if (value.shape.empty()) {
      blocks.push_back(1);
      continue;
    }
    const size_t from = interleave ? axis + 1 : axis;
    int64_t block = 1;
    for (size_t d = from; d < value.shape.size(); ++d) block *= value.shape[d];
    blocks.push_back(block);
  }
  return exec::DispatchWidth(out.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    int64_t round = 0;
    for (int64_t block : blocks) round += block;
    if (round == 0) return {};
    T* to = out.As<T>();
    const int64_t rounds = out.count() / round;
    for (int64_t r = 0; r < rounds; ++r) {
      for (size_t i = 0; i < values.size(); ++i) {
        to = std::copy_n(values[i].As<T>() + r * blocks[i], blocks[i], to);
      }
    }
    return {};
  });
}

Status Concat(KernelContext& context) {
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  ANEMONE_ASSIGN(bool interleave, context.args().Bool("interleave"));
  const int rank = context.args().TypeOf("values").rank();
  return Join(context, static_cast<size_t>(axis < 0 ? axis + rank : axis), interleave);
}

Status Stack(KernelContext& context) {
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  const int rank = context.args().TypeOf("values").rank();
  return Join(context, static_cast<size_t>(axis < 0 ? axis + rank + 1 : axis), false);
}

template <typename T>
T Plus(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return exec::WrapAdd(a, b);
  } else {
    return a + b;
  }
}

Status Cumsum(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  ANEMONE_ASSIGN(bool exclusive, context.args().Bool("exclusive"));
  ANEMONE_ASSIGN(bool reverse, context.args().Bool("reverse"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const auto view =
      exec::ViewAtAxis(x.shape, static_cast<size_t>(axis < 0 ? axis + x.rank() : axis));
  const auto sum_rows = [&](auto zero, auto total_type) {
    using T = decltype(zero);
    using Total = decltype(total_type);
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t n = 0; n < view.inner; ++n) {
        Total total = 0;
        for (int64_t i = 0; i < view.size; ++i) {
          const int64_t step = reverse ? view.size - 1 - i : i;
          const int64_t at = (o * view.size + step) * view.inner + n;
          const auto element = static_cast<Total>(x.As<T>()[at]);
          const Total with = Plus(total, element);
          out.As<T>()[at] = static_cast<T>(exclusive ? total : with);
          total = with;
        }
      }
    }
  };
  if (x.dtype == DType::kInt32) {
    sum_rows(int32_t{}, int32_t{});
  } else {
    sum_rows(float{}, double{});
  }
  return {};
}

Status Flatten2d(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  return exec::CopyElements(x, out);
}

// The index of x that element `at` of a padded dimension shows, or -1 for the constant.
int64_t PadSource(int64_t at, int64_t size, std::string_view mode) {
  if (at >= 0 && at < size) return at;
  if (mode == "replicate") return at < 0 ? 0 : size - 1;
  if (mode == "reflect") return at < 0 ? -at : 2 * (size - 1) - at;
  return -1;
}

Status Pad(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(std::vector<int64_t> pad, context.args().Ints("pad"));
  ANEMONE_ASSIGN(std::string mode, context.args().String("mode"));
  ANEMONE_ASSIGN(double fill, context.args().Float("constant_val"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const auto constant = static_cast<float>(fill);
  const exec::Strides strides = exec::RowMajorStrides(x.shape);
  // For each dimension, the offset in x of each index of the output; -1 for the constant.
  std::vector<std::vector<int64_t>> sources(x.shape.size());
  const size_t padded = pad.size() / 2;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    const size_t first = x.shape.size() - padded;
    const int64_t before = d >= first ? pad[2 * (d - first)] : 0;
    for (int64_t i = 0; i < out.shape[d]; ++i) {
      const int64_t source = PadSource(i - before, x.shape[d], mode);
      if (mode != "constant" && (source < 0 || source >= x.shape[d])) {
        return InvalidInput("{} padding reaches beyond dimension {} of size {}", mode, d,
                            x.shape[d]);
      }
      sources[d].push_back(source < 0 ? -1 : source * strides[d]);
    }
  }
  std::vector<int64_t> index(out.shape.size(), 0);
  const int64_t count = out.count();
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = 0;
    for (size_t d = 0; d < index.size() && at >= 0; ++d) {
      const int64_t source = sources[d][static_cast<size_t>(index[d])];
      at = source < 0 ? -1 : at + source;
    }
    out.As<float>()[i] = at < 0 ? constant : x.As<float>()[at];
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < out.shape[d]) break;
      index[d] = 0;
    }
  }
  return {};
}

Status Select(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor cond, context.Input("cond"));
  ANEMONE_ASSIGN(ConstTensor a, context.Input("a"));
  ANEMONE_ASSIGN(ConstTensor b, context.Input("b"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  return exec::DispatchWidth(out.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    const uint8_t* which = cond.As<uint8_t>();
    const T* yes = a.As<T>();
    const T* no = b.As<T>();
    T* to = out.As<T>();
    exec::ForEachOffset<3>(
        out.shape,
        {exec::BroadcastStrides(cond.shape, out.shape), exec::BroadcastStrides(a.shape, out.shape),
         exec::BroadcastStrides(b.shape, out.shape)},
        [&](const auto& at) { *to++ = which[at[0]] != 0 ? yes[at[1]] : no[at[2]]; });
    return {};
  });
}

Status Tile(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  // Each dimension of n elements repeated r times is two dimensions, r and n, of which the first
  // does not move in x.
  const exec::Strides strides = exec::RowMajorStrides(x.shape);
  Shape shape;
  exec::Strides repeated;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    const int64_t size = x.shape[d];
    shape.insert(shape.end(), {size == 0 ? 0 : out.shape[d] / size, size});
    repeated.insert(repeated.end(), {0, strides[d]});
  }
  return exec::DispatchWidth(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    T* to = out.As<T>();
    exec::ForEachOffset<1>(shape, {repeated}, [&](const auto& at) { *to++ = x.As<T>()[at[0]]; });
    return {};
  });
}

}  // namespace

std::span<const KernelEntry> Kernels() {
  static const std::vector<KernelEntry> kernels = [] {
    std::vector<KernelEntry> list = {
        {"band_part", BandPart},  {"concat", Concat}, {"cumsum", Cumsum},
        {"flatten2d", Flatten2d}, {"pad", Pad},       {"select", Select},
        {"stack", Stack},         {"tile", Tile},
    };
    std::ranges::copy(SelectionKernels(), std::back_inserter(list));
    return list;
  }();
  return kernels;
}

}  // namespace anemone::ops::tensor_ops
