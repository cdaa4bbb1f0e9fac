#include "passes/match.h"

#include <algorithm>
#include <cmath>

namespace anemone::passes {

ir::Operation* ProducerOf(const ir::Value* value, std::string_view type) {
  ir::Operation* producer = value == nullptr ? nullptr : value->producer;
  return producer != nullptr && producer->type() == type ? producer : nullptr;
}

ir::Operation* OwnedProducer(const Rewriter& rewriter, const ir::Value* value,
                             std::string_view type) {
  ir::Operation* producer = ProducerOf(value, type);
  if (producer == nullptr) return nullptr;
  const ir::Operation* user = rewriter.OnlyUser(value);
  return user != nullptr && user->parent() == producer->parent() ? producer : nullptr;
}

std::optional<double> UniformValue(const ir::Value* value) {
  if (value == nullptr || !value->is_const()) return std::nullopt;
  const ir::Literal& literal = *value->literal;
  if (!literal.type().is_tensor()) return std::nullopt;
  const DType dtype = literal.dtype();
  const int64_t count = literal.element_count();
  if (count == 0 || (!IsFloat(dtype) && !IsInt(dtype))) return std::nullopt;
  const size_t width = static_cast<size_t>(BitWidth(dtype)) / 8;
  if (count > 1) {
    if (width == 0) return std::nullopt;
    // The data equals itself shifted by one element, so all elements are the same.
    const std::byte* data = literal.bytes().data();
    if (std::memcmp(data, data + width, literal.bytes().size() - width) != 0) return std::nullopt;
  }
  auto first = ir::Literal::FromBytes(
      ir::Type::Scalar(dtype), width == 0 ? literal.bytes() : literal.bytes().Slice(0, width));
  return first.ok() ? first->AsDouble() : std::nullopt;
}

bool IsAbout(double value, double wanted) {
  return std::abs(value - wanted) <= 1e-3 * std::abs(wanted) + 1e-12;
}

bool IsAbout(const ir::Value* value, double wanted) {
  const auto uniform = UniformValue(value);
  return uniform && IsAbout(*uniform, wanted);
}

std::optional<WithConst> MatchWithConst(const ir::Operation& operation) {
  ir::Value* x = operation.Input("x");
  ir::Value* y = operation.Input("y");
  if (x == nullptr || y == nullptr || x->is_const() == y->is_const()) return std::nullopt;
  if (x->is_const()) return WithConst{y, x, true};
  return WithConst{x, y, false};
}

std::optional<Scaled> MatchScaled(const ir::Operation& operation) {
  const bool quotient = operation.type() == "real_div";
  if (!quotient && operation.type() != "mul") return std::nullopt;
  const auto operands = MatchWithConst(operation);
  if (!operands || operands->constant->type.element_count() != 1) return std::nullopt;
  const auto number = UniformValue(operands->constant);
  const ir::Type& type = operands->value->type;
  if (!number || !type.is_tensor() || !IsFloat(type.dtype()) || !(operation.output()->type == type))
    return std::nullopt;
  if (quotient && (operands->constant_first || *number == 0)) return std::nullopt;
  return Scaled{operands->value, quotient ? 1 / *number : *number};
}

std::vector<int64_t> OrderOf(const ir::Operation& transpose) {
  const ir::Value* perm = transpose.Input("perm");
  const auto order = perm != nullptr && perm->is_const() ? perm->literal->AsInts() : std::nullopt;
  if (!order) return {};
  std::vector<int64_t> axes = *order;
  for (int64_t& axis : axes) axis += axis < 0 ? static_cast<int64_t>(axes.size()) : 0;
  return axes;
}

std::optional<std::vector<double>> PerChannel(const ir::Value* constant, int rank, int axis,
                                              int64_t channels) {
  auto values = DoublesOf(constant);
  if (!values || values->empty() || constant->type.rank() > rank) return std::nullopt;
  const ir::Shape& shape = constant->type.shape();
  const int first = rank - constant->type.rank();
  for (int i = 0; i < constant->type.rank(); ++i) {
    if (shape[i] != 1 && (first + i != axis || shape[i] != channels)) return std::nullopt;
  }
  if (values->size() == static_cast<size_t>(channels)) return values;
  return std::vector<double>(channels, (*values)[0]);
}

std::optional<std::vector<double>> DoublesOf(const ir::Value* constant) {
  if (constant == nullptr || !constant->is_const() || !IsFloat(constant->literal->dtype()))
    return std::nullopt;
  return constant->literal->AsDoubles();
}

ir::Literal FloatsFromDoubles(DType dtype, const std::vector<double>& values, ir::Shape shape) {
  // Rounded twice for half, but the error of the first rounding is far below the second's.
  return ir::Literal::Floats(dtype, std::vector<float>(values.begin(), values.end()),
                             std::move(shape));
}

bool FitDType(const std::vector<double>& values, DType dtype) {
  const double limit = dtype == DType::kFp16 ? 65504 : 3.4028234663852886e38;
  return std::ranges::all_of(values, [&](double value) { return std::abs(value) <= limit; });
}

}  // namespace anemone::passes
