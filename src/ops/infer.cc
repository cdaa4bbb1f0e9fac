#include "ops/infer.h"

#include <algorithm>
#include <limits>

#include "ir/program.h"

namespace anemone::ops {

Result<int64_t> AddDims(int64_t a, int64_t b) {
  if (a == kDynamic || b == kDynamic) return kDynamic;
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) {
    return InvalidInput("size {} + {} does not fit into 64 bits", a, b);
  }
  return sum;
}

Result<int64_t> MulDims(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return int64_t{0};
  if (a == kDynamic || b == kDynamic) return kDynamic;
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) {
    return InvalidInput("size {} * {} does not fit into 64 bits", a, b);
  }
  return product;
}

Result<int64_t> MulDims(const Shape& dims, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i) {
    ANEMONE_ASSIGN(product, MulDims(product, dims[i]));
  }
  return product;
}

bool ShapesAgree(const Shape& a, const Shape& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), DimsAgree);
}

namespace {

// A broken constraint of ours or, without a label, a broken rule of another format.
template <typename... Args>
Error Broken(std::string_view label, fmt::format_string<Args...> format, Args&&... args) {
  if (!label.empty()) return Violates(label, format, std::forward<Args>(args)...);
  return InvalidInput("{}", fmt::vformat(format, fmt::make_format_args(args...)));
}

}  // namespace

Result<Shape> BroadcastShapes(std::string_view label, const Shape& a, const Shape& b) {
  Shape shape(std::max(a.size(), b.size()));
  for (size_t i = 0; i < shape.size(); ++i) {
    // i counts from the last dimension; missing leading dimensions are 1.
    const int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    int64_t& dim = shape[shape.size() - 1 - i];
    if (da == db || db == 1) {
      dim = da;
    } else if (da == 1) {
      dim = db;
    } else if (da == kDynamic || db == kDynamic) {
      dim = MergeDims(da, db);
    } else {
      return Broken(
          label, "shapes {} and {} do not broadcast: {} against {} in dimension {} from the right",
          ir::ShapeToString(a), ir::ShapeToString(b), da, db, i);
    }
  }
  return shape;
}

Result<Type> BroadcastTypes(std::string_view label, const Type& a, const Type& b, DType dtype) {
  if (!a.has_rank() || !b.has_rank()) return Type::UnrankedTensor(dtype);
  ANEMONE_ASSIGN(Shape shape, BroadcastShapes(label, a.shape(), b.shape()));
  return Type::Tensor(dtype, std::move(shape));
}

Result<int64_t> NormalizeAxis(std::string_view label, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    return Broken(label, "axis {} is outside [{}, {}) of a tensor of rank {}", axis, -rank, rank,
                  rank);
  }
  return axis < 0 ? axis + rank : axis;
}

Result<std::vector<int64_t>> NormalizeAxes(std::string_view label, std::vector<int64_t> axes,
                                           int64_t rank) {
  std::vector<bool> seen(static_cast<size_t>(rank), false);
  for (int64_t& axis : axes) {
    ANEMONE_ASSIGN(axis, NormalizeAxis(label, axis, rank));
    if (seen[static_cast<size_t>(axis)]) return Broken(label, "axis {} is given twice", axis);
    seen[static_cast<size_t>(axis)] = true;
  }
  return axes;
}

Status CheckRank(const OpArgs& args, std::string_view param, int low, int high,
                 std::string_view label) {
  const Type& type = args.TypeOf(param);
  if (!type.has_rank() || (type.rank() >= low && type.rank() <= high)) return {};
  if (low == high) return Violates(label, "{} has rank {}, wanted {}", param, type.rank(), low);
  return Violates(label, "{} has rank {}, wanted {} to {}", param, type.rank(), low, high);
}

Result<ir::Literal> FloatLikeX(const OpArgs& args, float value) {
  return ir::Literal::Float(args.TypeOf("x").dtype(), value);
}

namespace {
// No tensor has more dimensions, in our text form as well.
constexpr int64_t kMostSizes = 32;
}  // namespace

Result<Type> TypeOfUnknownShape(std::string_view label, DType dtype, const Type& shape) {
  if (!shape.has_rank()) return Type::UnrankedTensor(dtype);
  if (shape.rank() != 1) return Violates(label, "shape has rank {}, wanted 1", shape.rank());
  const int64_t rank = shape.shape()[0];
  if (rank == kDynamic) return Type::UnrankedTensor(dtype);
  if (rank > kMostSizes) return Violates(label, "shape has {} elements", rank);
  return Type::Tensor(dtype, Shape(static_cast<size_t>(rank), kDynamic));
}

Param ConstantParam(std::string_view name, std::string_view types, std::string_view default_text,
                    Opset since) {
  return {.name = name,
          .types = types,
          .required = false,
          .constant = true,
          .default_text = default_text,
          .since = since};
}

std::string NumbersToString(const std::vector<int64_t>& numbers) {
  std::string text = "[";
  for (int64_t number : numbers) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(number);
  }
  return text + "]";
}

Status InferLikeX(const OpArgs& args, std::vector<Type>* outputs) {
  outputs->push_back(args.TypeOf("x"));
  return {};
}

OpCost NoCost(const OpArgs&, std::span<const Type>) { return {0}; }

int64_t OutputElements(std::span<const Type> outputs) {
  int64_t count = 0;
  for (const Type& type : outputs) {
    if (__builtin_add_overflow(count, type.element_count().value_or(0), &count)) return INT64_MAX;
  }
  return count;
}

int64_t ElementsOf(const OpArgs& args, std::string_view param) {
  return args.Has(param) ? args.TypeOf(param).element_count().value_or(0) : 0;
}

int64_t CostProduct(std::span<const int64_t> counts) {
  int64_t product = 1;
  bool overflow = false;
  for (int64_t count : counts) {
    if (count <= 0) return 0;
    overflow |= __builtin_mul_overflow(product, count, &product);
  }
  return overflow ? std::numeric_limits<int64_t>::max() : product;
}

}  // namespace anemone::ops
