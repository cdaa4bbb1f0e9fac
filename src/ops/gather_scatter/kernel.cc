#include <algorithm>
#include <array>

#include "exec/indexing.h"
#include "exec/integer_math.h"
#include "ops/ops.h"

namespace anemone::ops::gather_scatter {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;
using ir::Shape;

// How an index outside [0, size) is treated.
enum class Outside {
  kFromEnd,  // negative ones count from the end; the others are an error
  kError,    // validate_indices
  kIgnored,  // its update is left out: scatter since ios17
};

Outside PolicyOf(const ir::OpArgs& args, bool scatter) {
  if (args.opset() < ir::Opset::kIOS17) return Outside::kFromEnd;
  const ir::Literal* validate = args.ValueOf("validate_indices");
  if (validate != nullptr && validate->AsBool().value_or(false)) return Outside::kError;
  return scatter ? Outside::kIgnored : Outside::kFromEnd;
}

constexpr int64_t kIgnore = -1;

// The element that `index` means in a dimension of `size`, or kIgnore.
Result<int64_t> Resolve(int64_t index, int64_t size, Outside outside) {
  if (index >= 0 && index < size) return index;
  if (outside == Outside::kIgnored) return kIgnore;
  if (outside == Outside::kFromEnd && index < 0 && index >= -size) return index + size;
  return InvalidInput("index {} is outside a dimension of size {}", index, size);
}

Result<std::vector<int64_t>> ReadInts(const ConstTensor& tensor) {
  std::vector<int64_t> values(static_cast<size_t>(tensor.count()));
  ANEMONE_TRY(exec::DispatchDType(tensor.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    for (size_t i = 0; i < values.size(); ++i) {
      // int8 keeps its sign: this is a number, not a character.
      values[i] = static_cast<int64_t>(tensor.As<T>()[i]);  // NOLINT(bugprone-signed-char-misuse)
    }
    return {};
  }));
  return values;
}

Result<std::vector<int64_t>> ReadIndices(const ConstTensor& tensor, int64_t size, Outside outside) {
  ANEMONE_ASSIGN(std::vector<int64_t> indices, ReadInts(tensor));
  for (int64_t& index : indices) {
    ANEMONE_ASSIGN(index, Resolve(index, size, outside));
  }
  return indices;
}

int64_t Product(const Shape& shape, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i) product *= shape[i];
  return product;
}

// A block of `count` elements at `data` in a tensor corresponds to the block at `selected` in the
// tensor of selected or given elements.
struct Block {
  int64_t data = 0;
  int64_t selected = 0;
};
struct Selection {
  std::vector<Block> blocks;
  int64_t count = 1;
};

// Slices along `axis`: selected is [outer (batch first), middle, picked, inner].
Result<Selection> SelectSlices(const ConstTensor& indices, const Shape& shape, size_t axis,
                               size_t batch_dims, Outside outside) {
  ANEMONE_ASSIGN(const std::vector<int64_t> at, ReadIndices(indices, shape[axis], outside));
  const int64_t batches = Product(shape, 0, batch_dims);
  const int64_t middle = Product(shape, batch_dims, axis);
  const int64_t picked = Product(indices.shape, batch_dims, indices.shape.size());
  Selection selection;
  selection.count = Product(shape, axis + 1, shape.size());
  for (int64_t b = 0; b < batches; ++b) {
    for (int64_t m = 0; m < middle; ++m) {
      const int64_t outer = b * middle + m;
      for (int64_t i = 0; i < picked; ++i) {
        const int64_t index = at[static_cast<size_t>(b * picked + i)];
        if (index == kIgnore) continue;
        selection.blocks.push_back({(outer * shape[axis] + index) * selection.count,
                                    (outer * picked + i) * selection.count});
      }
    }
  }
  return selection;
}

// Single elements: selected has the shape of indices.
Result<Selection> SelectAlongAxis(const ConstTensor& indices, const Shape& shape, size_t axis,
                                  Outside outside) {
  ANEMONE_ASSIGN(const std::vector<int64_t> at, ReadIndices(indices, shape[axis], outside));
  const exec::AxisView view = exec::ViewAtAxis(indices.shape, axis);
  Selection selection;
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t i = 0; i < view.size; ++i) {
      for (int64_t n = 0; n < view.inner; ++n) {
        const int64_t selected = (o * view.size + i) * view.inner + n;
        const int64_t index = at[static_cast<size_t>(selected)];
        if (index == kIgnore) continue;
        selection.blocks.push_back({(o * shape[axis] + index) * view.inner + n, selected});
      }
    }
  }
  return selection;
}

// Slices named by rows of coordinates.
Result<Selection> SelectNd(const ConstTensor& indices, const Shape& shape, size_t batch_dims,
                           Outside outside) {
  ANEMONE_ASSIGN(const std::vector<int64_t> values, ReadInts(indices));
  const auto depth = static_cast<size_t>(indices.shape.back());
  const exec::Strides strides = exec::RowMajorStrides(shape);
  const int64_t rows = Product(indices.shape, 0, indices.shape.size() - 1);
  const int64_t batches = Product(shape, 0, batch_dims);
  Selection selection;
  selection.count = Product(shape, batch_dims + depth, shape.size());
  const int64_t batch_size = Product(shape, batch_dims, shape.size());
  for (int64_t row = 0; row < rows; ++row) {
    int64_t data = row / (rows / batches) * batch_size;
    bool ignored = false;
    for (size_t d = 0; d < depth; ++d) {
      const int64_t value = values[static_cast<size_t>(row) * depth + d];
      ANEMONE_ASSIGN(int64_t index, Resolve(value, shape[batch_dims + d], outside));
      ignored = ignored || index == kIgnore;
      data += index * strides[batch_dims + d];
    }
    if (!ignored) selection.blocks.push_back({data, row * selection.count});
  }
  return selection;
}

Result<Selection> SelectFor(KernelContext& context, std::string_view tensor, bool along,
                            bool batched) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input(tensor));
  ANEMONE_ASSIGN(ConstTensor indices, context.Input("indices"));
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  int64_t batch_dims = 0;
  if (batched) {
    ANEMONE_ASSIGN(batch_dims, context.args().Int("batch_dims"));
  }
  const auto at = static_cast<size_t>(axis < 0 ? axis + x.rank() : axis);
  const Outside outside = PolicyOf(context.args(), /*scatter=*/tensor == "data");
  if (along) return SelectAlongAxis(indices, x.shape, at, outside);
  return SelectSlices(indices, x.shape, at, static_cast<size_t>(batch_dims), outside);
}

Status Pick(KernelContext& context, const Selection& selection) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  return exec::DispatchWidth(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    for (const Block& block : selection.blocks) {
      std::copy_n(x.As<T>() + block.data, selection.count, out.As<T>() + block.selected);
    }
    return {};
  });
}

Status Gather(KernelContext& context) {
  ANEMONE_ASSIGN(Selection selection, SelectFor(context, "x", false, true));
  return Pick(context, selection);
}
Status GatherAlongAxis(KernelContext& context) {
  ANEMONE_ASSIGN(Selection selection, SelectFor(context, "x", true, false));
  return Pick(context, selection);
}
Status GatherNd(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(ConstTensor indices, context.Input("indices"));
  ANEMONE_ASSIGN(int64_t batch_dims, context.args().Int("batch_dims"));
  ANEMONE_ASSIGN(Selection selection, SelectNd(indices, x.shape, static_cast<size_t>(batch_dims),
                                               PolicyOf(context.args(), /*scatter=*/false)));
  return Pick(context, selection);
}

// The new value of an element `old` that `update` is scattered to.
template <typename T>
T Combine(std::string_view mode, T old, T update) {
  constexpr bool kInteger = std::is_integral_v<T>;
  if (mode == "max") return std::max(old, update);
  if (mode == "min") return std::min(old, update);
  if constexpr (kInteger) {
    if (mode == "add") return exec::WrapAdd(old, update);
    if (mode == "sub") return exec::WrapSub(old, update);
    if (mode == "mul") return exec::WrapMul(old, update);
    if (mode == "div") return exec::FloorDiv(old, update);
  } else {
    if (mode == "add") return old + update;
    if (mode == "sub") return old - update;
    if (mode == "mul") return old * update;
    if (mode == "div") return old / update;
  }
  return update;
}

// Blocks with the same target are combined one after another, in the order of the indices.
Status Put(KernelContext& context, const Selection& selection) {
  ANEMONE_ASSIGN(ConstTensor data, context.Input("data"));
  ANEMONE_ASSIGN(ConstTensor updates, context.Input("updates"));
  ANEMONE_ASSIGN(std::string mode, context.args().String("mode"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  return exec::DispatchDType(data.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    std::copy_n(data.As<T>(), out.count(), out.As<T>());
    for (const Block& block : selection.blocks) {
      T* to = out.As<T>() + block.data;
      const T* from = updates.As<T>() + block.selected;
      for (int64_t i = 0; i < selection.count; ++i) to[i] = Combine(mode, to[i], from[i]);
    }
    return {};
  });
}

Status Scatter(KernelContext& context) {
  ANEMONE_ASSIGN(Selection selection, SelectFor(context, "data", false, false));
  return Put(context, selection);
}
Status ScatterAlongAxis(KernelContext& context) {
  ANEMONE_ASSIGN(Selection selection, SelectFor(context, "data", true, false));
  return Put(context, selection);
}
Status ScatterNd(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor data, context.Input("data"));
  ANEMONE_ASSIGN(ConstTensor indices, context.Input("indices"));
  ANEMONE_ASSIGN(Selection selection,
                 SelectNd(indices, data.shape, 0, PolicyOf(context.args(), /*scatter=*/true)));
  return Put(context, selection);
}

constexpr std::array<KernelEntry, 6> kKernels{{
    {"gather", Gather},
    {"gather_along_axis", GatherAlongAxis},
    {"gather_nd", GatherNd},
    {"scatter", Scatter},
    {"scatter_along_axis", ScatterAlongAxis},
    {"scatter_nd", ScatterNd},
}};

}  // namespace

std::span<const KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::gather_scatter
