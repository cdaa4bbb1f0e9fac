#include "ir/type.h"

#include <fmt/core.h>

#include <algorithm>

namespace anemone::ir {

Type Type::Tensor(DType dtype, Shape shape) {
  Type type;
  type.dtype_ = dtype;
  type.shape_ = std::move(shape);
  return type;
}

Type Type::UnrankedTensor(DType dtype) {
  Type type;
  type.dtype_ = dtype;
  type.has_rank_ = false;
  return type;
}

Type Type::List(Type element, int64_t length) {
  Type type;
  type.kind_ = Kind::kList;
  type.list_length_ = length;
  type.elements_ = std::make_shared<const std::vector<Type>>(1, std::move(element));
  return type;
}

Type Type::Tuple(std::vector<Type> elements) {
  Type type;
  type.kind_ = Kind::kTuple;
  type.elements_ = std::make_shared<const std::vector<Type>>(std::move(elements));
  return type;
}

Type Type::Dictionary(Type key, Type value) {
  Type type;
  type.kind_ = Kind::kDictionary;
  std::vector<Type> elements;
  elements.push_back(std::move(key));
  elements.push_back(std::move(value));
  type.elements_ = std::make_shared<const std::vector<Type>>(std::move(elements));
  return type;
}

Type Type::State(Type wrapped) {
  Type type;
  type.kind_ = Kind::kState;
  type.elements_ = std::make_shared<const std::vector<Type>>(1, std::move(wrapped));
  return type;
}

const std::vector<Type>& Type::elements() const {
  static const std::vector<Type> kNone;
  return elements_ ? *elements_ : kNone;
}

bool Type::is_static() const {
  return is_tensor() && has_rank_ &&
         std::none_of(shape_.begin(), shape_.end(), [](int64_t d) { return d < 0; });
}

std::optional<int64_t> Type::element_count() const {
  if (!is_static()) return std::nullopt;
  return ElementCount(shape_);
}

std::string Type::ToString() const {
  switch (kind_) {
    case Kind::kTensor:
      if (!has_rank_) return fmt::format("tensor<{}, *>", DTypeName(dtype_));
      if (shape_.empty()) return std::string(DTypeName(dtype_));
      return fmt::format("tensor<{}, {}>", DTypeName(dtype_), ShapeToString(shape_));
    case Kind::kList:
      return fmt::format("list<{}, {}>", elements()[0].ToString(),
                         list_length_ < 0 ? std::string("?") : std::to_string(list_length_));
    case Kind::kTuple: {
      std::string text = "tuple<";
      for (size_t i = 0; i < elements().size(); ++i)
        text += (i ? ", " : "") + elements()[i].ToString();
      return text + ">";
    }
    case Kind::kDictionary:
      return fmt::format("dict<{}, {}>", elements()[0].ToString(), elements()[1].ToString());
    case Kind::kState:
      return fmt::format("state<{}>", elements()[0].ToString());
  }
  return "?";
}

bool operator==(const Type& a, const Type& b) {
  if (a.kind_ != b.kind_) return false;
  if (a.kind_ == Type::Kind::kTensor) {
    return a.dtype_ == b.dtype_ && a.has_rank_ == b.has_rank_ && a.shape_ == b.shape_;
  }
  return a.list_length_ == b.list_length_ && a.elements() == b.elements();
}

bool IsCompatible(const Type& from, const Type& to) {
  if (from.kind() != to.kind()) return false;
  if (from.is_tensor()) {
    if (from.dtype() != to.dtype()) return false;
    if (!from.has_rank() || !to.has_rank()) return true;
    if (from.rank() != to.rank()) return false;
    for (int i = 0; i < from.rank(); ++i) {
      if (from.shape()[i] >= 0 && to.shape()[i] >= 0 && from.shape()[i] != to.shape()[i])
        return false;
    }
    return true;
  }
  if (from.elements().size() != to.elements().size()) return false;
  for (size_t i = 0; i < from.elements().size(); ++i) {
    if (!IsCompatible(from.elements()[i], to.elements()[i])) return false;
  }
  return true;
}

std::optional<int64_t> ElementCount(const Shape& shape) {
  // A zero anywhere makes the product zero, even beside dimensions whose product would overflow.
  int64_t count = 1;
  bool overflow = false;
  for (int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) return 0;
    overflow |= __builtin_mul_overflow(count, dim, &count);
  }
  if (overflow) return std::nullopt;
  return count;
}

std::string ShapeToString(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i) text += ", ";
    text += shape[i] < 0 ? "?" : std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace anemone::ir
