// Compressed constants (constexpr_*) and run-time quantization: reference kernels. Sub-byte
// integers arrive as int8 or uint8, a mask as one uint8 for each element, halves as float32.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "exec/indexing.h"
#include "exec/integer_math.h"
#include "ops/constexpr_ops/layout.h"
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::constexpr_ops {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::MutableTensor;

// ---- scales along one axis: constexpr_affine_dequantize, quantize, dequantize ----

// Elements of a float or integer tensor as floats; exact for every dtype that occurs here.
Result<std::vector<float>> ReadFloats(KernelContext& context, std::string_view param) {
  std::vector<float> values;
  if (!context.Has(param)) return values;
  ANEMONE_ASSIGN(const ConstTensor tensor, context.Input(param));
  ANEMONE_TRY(exec::DispatchDType(tensor.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    const T* data = tensor.As<T>();
    values.reserve(static_cast<size_t>(tensor.count()));
    for (int64_t i = 0; i < tensor.count(); ++i) values.push_back(static_cast<float>(data[i]));
    return {};
  }));
  return values;
}

struct AxisScales {
  std::vector<float> scale;
  std::vector<float> zero_point;  // empty: 0
  exec::AxisView view;

  // Calls fn(scale, zero_point, first, count) for each run of elements that share them.
  template <typename Fn>
  void ForEachRun(Fn&& fn) const {
    const auto at = [](const std::vector<float>& values, int64_t i) {
      return values.empty()       ? 0.0f
             : values.size() == 1 ? values[0]
                                  : values[static_cast<size_t>(i)];
    };
    int64_t first = 0;
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t i = 0; i < view.size; ++i, first += view.inner) {
        fn(at(scale, i), at(zero_point, i), first, view.inner);
      }
    }
  }
};

Result<AxisScales> ReadAxisScales(KernelContext& context, const ConstTensor& data) {
  AxisScales scales;
  ANEMONE_ASSIGN(scales.scale, ReadFloats(context, "scale"));
  ANEMONE_ASSIGN(scales.zero_point, ReadFloats(context, "zero_point"));
  scales.view = {1, 1, data.count()};
  if (scales.scale.size() > 1 || scales.zero_point.size() > 1) {
    ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
    ANEMONE_ASSIGN(axis, NormalizeAxis("", axis, data.rank()));
    scales.view = exec::ViewAtAxis(data.shape, static_cast<size_t>(axis));
  }
  return scales;
}

Status DequantizeInput(KernelContext& context, std::string_view param) {
  ANEMONE_ASSIGN(const ConstTensor data, context.Input(param));
  ANEMONE_ASSIGN(const AxisScales scales, ReadAxisScales(context, data));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  return exec::DispatchDType(data.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    scales.ForEachRun([&](float scale, float zero_point, int64_t first, int64_t count) {
      const T* in = data.As<T>() + first;
      float* result = out.As<float>() + first;
      for (int64_t i = 0; i < count; ++i)
        result[i] = scale * (static_cast<float>(in[i]) - zero_point);
    });
    return {};
  });
}

Status AffineDequantize(KernelContext& context) {
  return DequantizeInput(context, "quantized_data");
}
Status Dequantize(KernelContext& context) { return DequantizeInput(context, "input"); }

Status Quantize(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor data, context.Input("input"));
  ANEMONE_ASSIGN(const AxisScales scales, ReadAxisScales(context, data));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  return exec::DispatchDType(out.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    scales.ForEachRun([&](float scale, float zero_point, int64_t first, int64_t count) {
      const float* in = data.As<float>() + first;
      T* result = out.As<T>() + first;
      for (int64_t i = 0; i < count; ++i) {
        result[i] = exec::SaturatingCast<T>(std::nearbyint(in[i] / scale) + zero_point);
      }
    });
    return {};
  });
}

Status Cast(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor source, context.Input("source_val"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  std::copy_n(source.As<float>(), source.count(), out.As<float>());
  return {};
}

// ---- lookup tables ----

Status FlatLutToDense(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor indices, context.Input("indices"));
  ANEMONE_ASSIGN(const ConstTensor lut, context.Input("lut"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  int bits = 0;
  while ((int64_t{1} << bits) < lut.count()) ++bits;
  return exec::DispatchWidth(lut.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    T* result = out.As<T>();
    for (int64_t i = 0; i < out.count(); ++i) {
      result[i] = lut.As<T>()[UnpackBits(indices.As<uint8_t>(), i, bits)];
    }
    return {};
  });
}

// A tensor of `shape` seen as blocks: each dimension is split into (blocks, elements of a block).
// `block_strides` are those of a tensor with one element for each block.
struct Blocks {
  ir::Shape split;
  exec::Strides block_strides;
};
Blocks SplitIntoBlocks(const ir::Shape& shape, const ir::Shape& counts,
                       int64_t elements_per_block) {
  Blocks blocks;
  const exec::Strides strides = exec::RowMajorStrides(counts);
  for (size_t d = 0; d < shape.size(); ++d) {
    blocks.split.insert(blocks.split.end(), {counts[d], counts[d] == 0 ? 0 : shape[d] / counts[d]});
    blocks.block_strides.insert(blocks.block_strides.end(), {strides[d] * elements_per_block, 0});
  }
  return blocks;
}

// Writes lut[block, index, :] for each of `indices` (row-major, of `shape`) to `out`, the vectors
// along `axis`.
template <typename T>
Status LookUp(const uint8_t* indices, const ir::Shape& shape, const ConstTensor& lut, size_t axis,
              T* out) {
  const size_t rank = shape.size();
  const int64_t entries = lut.shape[rank], vector_size = lut.shape[rank + 1];
  const Blocks blocks =
      SplitIntoBlocks(shape, {lut.shape.begin(), lut.shape.end() - 2}, entries * vector_size);
  ir::Shape out_shape = shape;
  out_shape[axis] *= vector_size;
  const exec::Strides out_strides = exec::RowMajorStrides(out_shape);
  exec::Strides out_split;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t step = out_strides[d] * (d == axis ? vector_size : 1);
    out_split.insert(out_split.end(), {step * blocks.split[2 * d + 1], step});
  }
  bool outside = false;
  exec::ForEachOffset<2>(blocks.split, {blocks.block_strides, out_split},
                         [&](const std::array<int64_t, 2>& offsets) {
                           const int64_t index = *indices++;
                           if (index >= entries) {
                             outside = true;
                             return;
                           }
                           const T* values = lut.As<T>() + offsets[0] + index * vector_size;
                           for (int64_t v = 0; v < vector_size; ++v)
                             out[offsets[1] + v * out_strides[axis]] = values[v];
                         });
  if (outside) return InvalidInput("an index is outside the lookup table of {} entries", entries);
  return {};
}

Result<size_t> VectorAxis(KernelContext& context, int rank) {
  if (!context.args().Has("vector_axis")) return size_t{0};  // vectors of one value: any axis works
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("vector_axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis("", axis, rank));
  return static_cast<size_t>(axis);
}

Status LutToDense(KernelContext& context) {
  if (context.args().opset() < ir::Opset::kIOS18) return FlatLutToDense(context);
  ANEMONE_ASSIGN(const ConstTensor indices, context.Input("indices"));
  ANEMONE_ASSIGN(const ConstTensor lut, context.Input("lut"));
  ANEMONE_ASSIGN(const size_t axis, VectorAxis(context, indices.rank()));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  return exec::DispatchWidth(lut.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    return LookUp(indices.As<uint8_t>(), indices.shape, lut, axis, out.As<T>());
  });
}

// ---- sparse constants ----

// Puts `values`, in order, where `is_set(i)`, and zeros elsewhere.
template <typename T, typename IsSet>
Status Scatter(const T* values, int64_t value_count, int64_t count, IsSet&& is_set, T* out) {
  int64_t next = 0;
  for (int64_t i = 0; i < count; ++i) {
    const bool set = is_set(i);
    if (set && next == value_count)
      return InvalidInput("the mask has more bits set than the {} values", value_count);
    out[i] = set ? values[next++] : T{};
  }
  if (next != value_count)
    return InvalidInput("the mask has {} bits set for {} values", next, value_count);
  return {};
}

Status SparseToDense(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor values, context.Input("nonzero_data"));
  ANEMONE_ASSIGN(const ConstTensor mask, context.Input("mask"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const uint8_t* bits = mask.As<uint8_t>();
  const bool packed = context.args().opset() < ir::Opset::kIOS18;
  const auto is_set = [&](int64_t i) {
    return packed ? UnpackBits(bits, i, 1) != 0 : bits[i] != 0;
  };
  return exec::DispatchWidth(values.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    return Scatter(values.As<T>(), values.count(), out.count(), is_set, out.As<T>());
  });
}

Status BlockwiseShiftScale(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor data, context.Input("data"));
  ANEMONE_ASSIGN(const ConstTensor scale, context.Input("scale"));
  ANEMONE_ASSIGN(const std::vector<float> offsets, ReadFloats(context, "offset"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const Blocks blocks = SplitIntoBlocks(data.shape, scale.shape, 1);
  return exec::DispatchDType(data.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    const T* in = data.As<T>();
    float* result = out.As<float>();
    exec::ForEachOffset<1>(
        blocks.split, {blocks.block_strides}, [&](const std::array<int64_t, 1>& at) {
          const float shift = offsets.empty() ? 0.0f : offsets[static_cast<size_t>(at[0])];
          *result++ = scale.As<float>()[at[0]] * (static_cast<float>(*in++) - shift);
        });
    return {};
  });
}

Status SparseBlockwiseShiftScale(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor mask, context.Input("data_mask"));
  ANEMONE_ASSIGN(const std::vector<float> values, ReadFloats(context, "nonzero_data"));
  ANEMONE_ASSIGN(const ConstTensor scale, context.Input("scale"));
  ANEMONE_ASSIGN(const std::vector<float> offsets, ReadFloats(context, "offset"));
  ANEMONE_ASSIGN(const MutableTensor out_mask, context.Output(0));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output(1));
  std::copy_n(mask.As<uint8_t>(), mask.count(), out_mask.As<uint8_t>());
  const Blocks blocks = SplitIntoBlocks(mask.shape, scale.shape, 1);
  const uint8_t* set = mask.As<uint8_t>();
  size_t next = 0, wanted = 0;
  exec::ForEachOffset<1>(
      blocks.split, {blocks.block_strides}, [&](const std::array<int64_t, 1>& at) {
        if (*set++ == 0 || ++wanted > values.size()) return;
        const float shift = offsets.empty() ? 0.0f : offsets[static_cast<size_t>(at[0])];
        out.As<float>()[next] = scale.As<float>()[at[0]] * (values[next] - shift);
        ++next;
      });
  if (wanted != values.size())
    return InvalidInput("the mask has {} bits set for {} values", wanted, values.size());
  return {};
}

Status LutToSparse(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor mask, context.Input("indices_mask"));
  ANEMONE_ASSIGN(const ConstTensor indices, context.Input("indices_nonzero_data"));
  ANEMONE_ASSIGN(const ConstTensor lut, context.Input("lut"));
  ANEMONE_ASSIGN(const size_t axis, VectorAxis(context, mask.rank()));
  ANEMONE_ASSIGN(const MutableTensor out_mask, context.Output(0));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output(1));
  const uint8_t* set = mask.As<uint8_t>();

  // The mask with each element repeated along `axis` as often as a vector has values.
  const int64_t vector_size = lut.shape.back();
  const exec::AxisView view = exec::ViewAtAxis(mask.shape, axis);
  uint8_t* wide = out_mask.As<uint8_t>();
  for (int64_t row = 0; row < view.outer * view.size; ++row) {
    for (int64_t v = 0; v < vector_size; ++v)
      wide = std::copy_n(set + row * view.inner, view.inner, wide);
  }

  // Looked up densely, then gathered: the order of the values is that of the widened mask.
  std::vector<uint8_t> dense(static_cast<size_t>(mask.count()));
  ANEMONE_TRY(Scatter(
      indices.As<uint8_t>(), indices.count(), mask.count(), [&](int64_t i) { return set[i] != 0; },
      dense.data()));
  return exec::DispatchWidth(lut.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    std::vector<T> values(static_cast<size_t>(out_mask.count()));
    ANEMONE_TRY(LookUp(dense.data(), mask.shape, lut, axis, values.data()));
    T* result = out.As<T>();
    for (size_t i = 0; i < values.size(); ++i) {
      if (out_mask.As<uint8_t>()[i] != 0) *result++ = values[i];
    }
    return {};
  });
}

constexpr exec::KernelEntry kKernels[] = {
    {"constexpr_affine_dequantize", AffineDequantize},
    {"constexpr_blockwise_shift_scale", BlockwiseShiftScale},
    {"constexpr_cast", Cast},
    {"constexpr_lut_to_dense", LutToDense},
    {"constexpr_lut_to_sparse", LutToSparse},
    {"constexpr_sparse_blockwise_shift_scale", SparseBlockwiseShiftScale},
    {"constexpr_sparse_to_dense", SparseToDense},
    {"dequantize", Dequantize},
    {"quantize", Quantize},
};

}  // namespace

std::span<const exec::KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::constexpr_ops
