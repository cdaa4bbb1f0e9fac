#include "ops/tensor_ops/creation_torch.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "torch/context.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace torch;  // NOLINT: a converter file speaks both

constexpr int64_t kMaxKnown = int64_t{1} << 26;

// The shape that the argument `size` gives, or that of the output.
std::string SizeOf(Context& c) {
  if (const auto dims = c.OutDims()) return c.Int64s(*dims);
  const Argument* size = c.Find("size");
  if (size == nullptr) (void)c.Fail(InvalidInput("it has no size"));
  return size == nullptr ? "" : c.IntVector(size->ints);
}

Status Filled(Context& c, const std::string& value, const std::string& shape) {
  return c.Set(0, c.Op("Expand", {value, shape}));
}

Status FilledWith(Context& c, double value, const std::string& shape) {
  return Filled(c, c.Constant(value, c.OutCategory()), shape);
}

std::string LikeSelf(Context& c) {
  if (const auto dims = c.OutDims()) return c.Int64s(*dims);
  return c.ShapeOf("self");
}

// A number argument as a scalar of the category.
std::string Bound(Context& c, std::string_view name, double fallback, Category category) {
  return c.Has(name) ? c.Operand(name, category) : c.Constant(fallback, category);
}

}  // namespace

Status EmitArange(Context& c) {
  const Category category = c.OutCategory();
  const auto dims = c.OutDims();
  const auto number = [&](std::string_view name) {
    const Argument* argument = c.Find(name);
    return argument == nullptr ||
           (argument->names.empty() && (argument->ints.empty() || argument->ints[0].name.empty()));
  };
  if (dims && dims->size() == 1 && dims->front() <= kMaxKnown && number("start") &&
      number("step")) {
    // Known: the element type matters to what is computed of it.
    const double start = c.Number("start", 0), step = c.Number("step", 1);
    std::vector<double> values;
    for (int64_t i = 0; i < dims->front(); ++i)
      values.push_back(start + static_cast<double>(i) * step);
    const DType dtype = category == Category::kFloat ? DType::kFp32 : DType::kInt64;
    return c.Set(0, c.Known(onnx::Constant::FromDoubles(dtype, values, {dims->front()})));
  }
  const std::string start = Bound(c, "start", 0, category);
  const std::string end = Bound(c, "end", 0, category);
  return c.Set(0, c.Op("Range", {start, end, Bound(c, "step", 1, category)}));
}

Status EmitLinspace(Context& c) {
  const double start = c.Number("start", 0), end = c.Number("end", 1);
  const int64_t steps = c.Int("steps", 100);
  if (steps < 1 || steps > kMaxKnown) return Unsupported("{} steps", steps);
  std::vector<double> values;
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  for (int64_t i = 0; i < steps; ++i) {
    values.push_back(2 * i < steps ? start + static_cast<double>(i) * step
                                   : end - static_cast<double>(steps - 1 - i) * step);
  }
  const DType dtype = c.OutCategory() == Category::kFloat ? DType::kFp32 : DType::kInt64;
  return c.Set(0, c.Known(onnx::Constant::FromDoubles(dtype, values, {steps})));
}

Status EmitFull(Context& c) {
  const std::string shape = SizeOf(c);
  return Filled(c, c.Operand("fill_value", c.OutCategory()), shape);
}

Status EmitFullLike(Context& c) {
  const std::string shape = LikeSelf(c);
  return Filled(c, c.Operand("fill_value", c.OutCategory()), shape);
}

Status EmitZeros(Context& c) { return FilledWith(c, 0, SizeOf(c)); }
Status EmitOnes(Context& c) { return FilledWith(c, 1, SizeOf(c)); }
Status EmitZerosLike(Context& c) { return FilledWith(c, 0, LikeSelf(c)); }
Status EmitOnesLike(Context& c) { return FilledWith(c, 1, LikeSelf(c)); }

Status EmitFill(Context& c) {
  const std::string shape = LikeSelf(c);
  return Filled(c, c.Operand("value", c.OutCategory()), shape);
}

Status EmitCopy(Context& c) {
  const std::string source = c.Operand("src", c.OutCategory());
  if (c.Rank("src") == c.Rank("self")) {
    const auto from = Context::DimsOf(c.Meta("src"));
    if (from && from == c.OutDims()) return c.Set(0, source);
  }
  return Filled(c, source, LikeSelf(c));
}

Status EmitScalarTensor(Context& c) { return c.Set(0, c.Operand("s", c.OutCategory())); }

Status EmitEye(Context& c) {
  const auto dims = c.OutDims();
  if (!dims || dims->size() != 2) return Unsupported("a symbolic size").Advise("fix the size");
  if ((*dims)[0] * (*dims)[1] > kMaxKnown) return Unsupported("a matrix that large");
  std::vector<double> values(static_cast<size_t>((*dims)[0] * (*dims)[1]), 0);
  for (int64_t i = 0; i < std::min((*dims)[0], (*dims)[1]); ++i)
    values[static_cast<size_t>(i * (*dims)[1] + i)] = 1;
  const DType dtype = c.OutCategory() == Category::kFloat ? DType::kFp32
                      : c.OutCategory() == Category::kInt ? DType::kInt64
                                                          : DType::kBool;
  return c.Set(0, c.Known(onnx::Constant::FromDoubles(dtype, values, *dims)));
}

Status EmitHannWindow(Context& c) {
  const int64_t length = c.Int("window_length", 1);
  if (length < 1 || length > kMaxKnown) return Unsupported("a window of {}", length);
  const bool periodic = c.Flag("periodic", true);
  const auto period = static_cast<double>(std::max<int64_t>(periodic ? length : length - 1, 1));
  std::vector<double> values;
  for (int64_t i = 0; i < length; ++i) {
    const double turn = 2 * std::numbers::pi * static_cast<double>(i) / period;
    values.push_back(length == 1 ? 1 : 0.5 - 0.5 * std::cos(turn));
  }
  return c.Set(0, c.Known(onnx::Constant::FromDoubles(DType::kFp32, values, {length})));
}

namespace {

Status Triangle(Context& c, bool upper) {
  const int64_t rows = c.Int("row", 0), columns = c.Int("col", 0), offset = c.Int("offset", 0);
  if (rows < 0 || columns < 0 || rows * columns > kMaxKnown)
    return Unsupported("that many positions");
  std::vector<int64_t> of_rows, of_columns;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      if (upper ? j - i < offset : j - i > offset) continue;
      of_rows.push_back(i);
      of_columns.push_back(j);
    }
  }
  const int64_t count = std::ssize(of_rows);
  of_rows.insert(of_rows.end(), of_columns.begin(), of_columns.end());
  return c.Set(0, c.Known(onnx::Constant::Int64s(std::move(of_rows), {2, count})));
}

}  // namespace

Status EmitTrilIndices(Context& c) { return Triangle(c, false); }
Status EmitTriuIndices(Context& c) { return Triangle(c, true); }

}  // namespace anemone::ops::tensor_ops
