// Index arithmetic that reference kernels share: strides, broadcasting, walking several tensors at
// once, and the dispatch from a run-time dtype to a C++ type. Strides and offsets count elements,
// not bytes; all tensors are row-major. Thread rules: pure functions.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/dtype.h"
#include "base/status.h"
#include "exec/tensor.h"

namespace anemone::exec {

using Strides = std::vector<int64_t>;

// Strides of a contiguous row-major tensor: [h * w, w, 1] for [c, h, w].
inline Strides RowMajorStrides(const Shape& shape) {
  Strides strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

// Strides that read a contiguous tensor of `shape` as if it were broadcast to `to` (NumPy's rule:
// dimensions align at the right). One stride for each dimension of `to`, 0 where the element
// repeats.
inline Strides BroadcastStrides(const Shape& shape, const Shape& to) {
  const Strides own = RowMajorStrides(shape);
  Strides strides(to.size(), 0);
  const size_t shift = to.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1) strides[shift + i] = own[i];
  }
  return strides;
}

// Visits every index of `shape` in row-major order and calls fn(offsets): the offset in each
// of the tensors, which starts at `offsets[k]` and moves by strides[k][d] along dimension d.
template <size_t kTensors, typename Fn>
void ForEachOffset(const Shape& shape, const std::array<Strides, kTensors>& strides,
                   std::array<int64_t, kTensors> offsets, Fn&& fn) {
  for (int64_t size : shape) {
    if (size == 0) return;
  }
  if (shape.empty()) {
    fn(std::as_const(offsets));
    return;
  }
  const size_t last = shape.size() - 1;
  std::array<int64_t, kTensors> step;
  for (size_t k = 0; k < kTensors; ++k) step[k] = strides[k][last];
  std::vector<int64_t> index(last, 0);
  while (true) {
    std::array<int64_t, kTensors> row = offsets;
    for (int64_t i = 0; i < shape[last]; ++i) {
      fn(std::as_const(row));
      for (size_t k = 0; k < kTensors; ++k) row[k] += step[k];
    }
    size_t d = last;
    while (d-- > 0) {
      for (size_t k = 0; k < kTensors; ++k) offsets[k] += strides[k][d];
      if (++index[d] < shape[d]) break;
      for (size_t k = 0; k < kTensors; ++k) offsets[k] -= strides[k][d] * shape[d];
      index[d] = 0;
    }
    if (d == SIZE_MAX) return;
  }
}

template <size_t kTensors, typename Fn>
void ForEachOffset(const Shape& shape, const std::array<Strides, kTensors>& strides, Fn&& fn) {
  ForEachOffset<kTensors>(shape, strides, std::array<int64_t, kTensors>{}, std::forward<Fn>(fn));
}

// A tensor seen from one axis: `outer` slabs of `size` rows of `inner` elements. Element (o, i, n)
// is at (o * size + i) * inner + n.
struct AxisView {
  int64_t outer = 1;
  int64_t size = 1;
  int64_t inner = 1;
};
inline AxisView ViewAtAxis(const Shape& shape, size_t axis) {
  AxisView view;
  for (size_t i = 0; i < axis; ++i) view.outer *= shape[i];
  view.size = shape[axis];
  for (size_t i = axis + 1; i < shape.size(); ++i) view.inner *= shape[i];
  return view;
}

// Calls fn(T{}) with the C++ type that holds `dtype` in memory (float for fp32, uint8_t for bool
// ...) and returns its Status. For kernels that compute.
template <typename Fn>
Status DispatchDType(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kFp16:  // float32 in memory
    case DType::kFp32:
      return fn(float{});
    case DType::kFp64:
      return fn(double{});
    case DType::kBool:
    case DType::kUInt8:
      return fn(uint8_t{});
    case DType::kInt8:
      return fn(int8_t{});
    case DType::kInt16:
      return fn(int16_t{});
    case DType::kUInt16:
      return fn(uint16_t{});
    case DType::kInt32:
      return fn(int32_t{});
    case DType::kUInt32:
      return fn(uint32_t{});
    case DType::kInt64:
      return fn(int64_t{});
    case DType::kUInt64:
      return fn(uint64_t{});
    default:
      return Unsupported("no kernel for tensors of {}", DTypeName(dtype));
  }
}

// Calls fn(T{}) with an unsigned type of the element's width: for kernels that only move data.
template <typename Fn>
Status DispatchWidth(DType dtype, Fn&& fn) {
  switch (BitWidth(StorageDType(dtype))) {
    case 8:
      return fn(uint8_t{});
    case 16:
      return fn(uint16_t{});
    case 32:
      return fn(uint32_t{});
    case 64:
      return fn(uint64_t{});
    default:
      return Unsupported("no kernel for tensors of {}", DTypeName(dtype));
  }
}

// Copies the elements of x, in order, to `out`, which has the same number and width of elements.
inline Status CopyElements(const ConstTensor& x, const MutableTensor& out) {
  return DispatchWidth(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    std::copy_n(x.As<T>(), out.count(), out.As<T>());
    return {};
  });
}

}  // namespace anemone::exec
