// Constant: a tensor that the importer knows, with ONNX's own element type. Shapes are computed in
// int64 on these, so that chains such as Shape > Gather > Concat > Reshape are exact; only the
// values that a MIL operation needs become Literals. Ownership: shares the bytes. Thread rules:
// immutable value.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "ir/literal.h"
#include "onnx/model.h"

namespace anemone::onnx {

// Up to here float32 holds every integer.
constexpr int64_t kExactInFloat = int64_t{1} << 24;

struct Constant {
  DType dtype = DType::kInvalid;  // any numeric dtype of ONNX, or bool
  ir::Shape dims;
  Bytes data;  // row-major, aligned

  // kUnsupported for strings and for element types without a dtype.
  static Result<Constant> FromTensor(const Tensor& tensor);
  static Constant Int64s(std::vector<int64_t> values, ir::Shape dims);
  static Constant Int64s(std::vector<int64_t> values) {
    const auto size = static_cast<int64_t>(values.size());
    return Int64s(std::move(values), {size});
  }
  static Constant Floats(std::vector<float> values, ir::Shape dims);
  // Values of any numeric dtype; integers are truncated, bool is value != 0.
  static Constant FromDoubles(DType dtype, const std::vector<double>& values, ir::Shape dims);
  static Constant FromInts(DType dtype, const std::vector<int64_t>& values, ir::Shape dims);

  int64_t count() const { return ir::ElementCount(dims).value_or(0); }
  bool is_integer() const { return IsInt(dtype) || dtype == DType::kBool; }
  // All elements, AsInts also for bool; both are nullopt for dtypes that do not fit.
  std::optional<std::vector<int64_t>> AsInts() const;
  // The same, also for floats that are whole numbers within kExactInFloat.
  std::optional<std::vector<int64_t>> AsWholeNumbers() const;
  std::optional<std::vector<double>> AsDoubles() const;
  std::vector<float> AsFloats() const;  // any numeric dtype, rounded to float

  // As MIL holds it: floats become fp32, integers int32 (kUnsupported when one does not fit), bool
  // stays bool.
  Result<ir::Literal> ToLiteral() const;
  // A constant whose integers int32 cannot hold, with the nearest that it can; `first` gets the first of
  // them. nullopt where all fit.
  std::optional<Constant> ClampedToInt32(int64_t* first) const;
  // The same elements under other dims.
  Constant Reshaped(ir::Shape new_dims) const { return {dtype, std::move(new_dims), data}; }
};

}  // namespace anemone::onnx
