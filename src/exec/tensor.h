// Tensors at run time. Float tensors are float32 in memory whatever the program declares (fp16
// results are rounded to half where the program says fp16, so the numbers are those of half
// precision); integers and bools are in their own dtype, row-major.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/status.h"
#include "ir/literal.h"
#include "ir/type.h"

namespace anemone::exec {

using ir::Shape;

// A view; does not own. `data` is row-major and contiguous.
struct ConstTensor {
  DType dtype = DType::kInvalid;
  Shape shape;
  const void* data = nullptr;

  template <typename T>
  const T* As() const {
    return static_cast<const T*>(data);
  }
  int64_t count() const { return ir::ElementCount(shape).value_or(0); }
  int rank() const { return static_cast<int>(shape.size()); }
};

struct MutableTensor {
  DType dtype = DType::kInvalid;
  Shape shape;
  void* data = nullptr;

  template <typename T>
  T* As() const {
    return static_cast<T*>(data);
  }
  int64_t count() const { return ir::ElementCount(shape).value_or(0); }
  int rank() const { return static_cast<int>(shape.size()); }
};

// Owns its elements (64-byte aligned). Copies share the buffer.
class Tensor {
 public:
  Tensor() = default;
  // Uninitialized elements. `shape` is static.
  static Result<Tensor> Allocate(DType dtype, Shape shape);
  static Result<Tensor> Copy(const ConstTensor& source);
  // The elements in the dtype that they have at run time (StorageDType). kInvalidInput for an integer
  // that int32 cannot hold.
  static Result<Tensor> FromLiteral(const ir::Literal& literal);
  // Converts back to `dtype` (float32 -> half rounds).
  Result<ir::Literal> ToLiteral(DType dtype) const;

  DType dtype() const { return view_.dtype; }
  const Shape& shape() const { return view_.shape; }
  int64_t count() const { return view_.count(); }
  size_t size_bytes() const;
  // Whether other tensors have the same elements in memory.
  bool is_shared() const;
  ConstTensor view() const { return {view_.dtype, view_.shape, view_.data}; }
  const MutableTensor& mutable_view() { return view_; }
  template <typename T>
  const T* As() const {
    return view_.As<T>();
  }
  template <typename T>
  T* As() {
    return view_.As<T>();
  }

 private:
  MutableTensor view_;
  std::shared_ptr<void> buffer_;
};

// The numbers in dtype `wanted` of the run time: floats are rounded to float32, integers are held exactly.
// kUsage naming the first number that is not.
Result<Tensor> ConvertExactly(const ir::Literal& from, DType wanted);

// The dtype that a value declared `dtype` has in memory at run time (fp16 -> fp32, int4 -> int8
// ...).
DType StorageDType(DType dtype);

}  // namespace anemone::exec
