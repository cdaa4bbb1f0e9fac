// Types of MIL values: tensors (a scalar is a tensor of rank 0), lists, tuples, dictionaries and
// states. Ownership: values; element types of compound types are shared and immutable. Thread
// rules: immutable once built.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace anemone::ir {

// Sizes of the dimensions, outermost first; kDynamic where only the run time knows.
using Shape = std::vector<int64_t>;
constexpr int64_t kDynamic = -1;

class Type {
 public:
  enum class Kind : uint8_t { kTensor, kList, kTuple, kDictionary, kState };

  // A scalar without a dtype: the type of a default-constructed Value before inference.
  Type() = default;
  static Type Tensor(DType dtype, Shape shape);
  static Type Scalar(DType dtype) { return Tensor(dtype, {}); }
  // A tensor whose rank is not known before run time.
  static Type UnrankedTensor(DType dtype);
  // `length` is kDynamic for a list that grows.
  static Type List(Type element, int64_t length);
  static Type Tuple(std::vector<Type> elements);
  static Type Dictionary(Type key, Type value);
  // A mutable tensor that lives as long as the model's state (iOS18).
  static Type State(Type wrapped);

  Kind kind() const { return kind_; }
  bool is_tensor() const { return kind_ == Kind::kTensor; }
  bool is_list() const { return kind_ == Kind::kList; }
  bool is_state() const { return kind_ == Kind::kState; }

  // Tensors only.
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  bool has_rank() const { return has_rank_; }
  int rank() const { return static_cast<int>(shape_.size()); }
  bool is_scalar() const { return is_tensor() && has_rank_ && shape_.empty(); }
  // Every dimension known.
  bool is_static() const;
  // Product of the dimensions; nullopt when one is dynamic, or the product overflows.
  std::optional<int64_t> element_count() const;

  // Lists: one element type. Tuples: all. Dictionaries: key, value. States: the wrapped tensor.
  const std::vector<Type>& elements() const;
  int64_t list_length() const { return list_length_; }

  // "tensor<fp16, [1, 3, ?, 224]>", "int32", "list<tensor<fp32, [3]>, 8>", "state<tensor<fp16,
  // [1, 8]>>".
  std::string ToString() const;
  friend bool operator==(const Type& a, const Type& b);

 private:
  Kind kind_ = Kind::kTensor;
  DType dtype_ = DType::kInvalid;
  bool has_rank_ = true;
  Shape shape_;
  int64_t list_length_ = kDynamic;
  std::shared_ptr<const std::vector<Type>> elements_;
};

// Whether a value of type `from` may stand where `to` is declared: equal, but a dynamic dimension
// matches any.
bool IsCompatible(const Type& from, const Type& to);

// Product of dimensions; nullopt when one is negative or the product overflows int64.
std::optional<int64_t> ElementCount(const Shape& shape);
// "[1, 3, ?, 224]".
std::string ShapeToString(const Shape& shape);

}  // namespace anemone::ir
