#include "onnx/constant.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace anemone::onnx {
namespace {

// Calls fn(span of elements) for the C++ type that holds `constant`; false for packed and unknown
// dtypes.
template <typename Fn>
bool Visit(const Constant& constant, Fn&& fn) {
  switch (constant.dtype) {
    case DType::kBool:
    case DType::kUInt8:
      fn(constant.data.As<uint8_t>());
      return true;
    case DType::kInt8:
      fn(constant.data.As<int8_t>());
      return true;
    case DType::kInt16:
      fn(constant.data.As<int16_t>());
      return true;
    case DType::kUInt16:
      fn(constant.data.As<uint16_t>());
      return true;
    case DType::kInt32:
      fn(constant.data.As<int32_t>());
      return true;
    case DType::kUInt32:
      fn(constant.data.As<uint32_t>());
      return true;
    case DType::kInt64:
      fn(constant.data.As<int64_t>());
      return true;
    case DType::kUInt64:
      fn(constant.data.As<uint64_t>());
      return true;
    case DType::kFp32:
      fn(constant.data.As<float>());
      return true;
    case DType::kFp64:
      fn(constant.data.As<double>());
      return true;
    default:
      return false;
  }
}

template <typename T, typename From>
Bytes ConvertTo(const std::vector<From>& values) {
  std::vector<T> out(values.size());
  for (size_t i = 0; i < values.size(); ++i) out[i] = static_cast<T>(values[i]);
  return Bytes::FromVector(std::move(out));
}

template <typename From>
Constant FromValues(DType dtype, const std::vector<From>& values, ir::Shape dims) {
  Constant out{dtype, std::move(dims), {}};
  switch (dtype) {
    case DType::kBool: {
      std::vector<uint8_t> bits(values.size());
      for (size_t i = 0; i < values.size(); ++i) bits[i] = values[i] != 0;
      out.data = Bytes::FromVector(std::move(bits));
      break;
    }
    case DType::kUInt8:
      out.data = ConvertTo<uint8_t>(values);
      break;
    case DType::kInt8:
      out.data = ConvertTo<int8_t>(values);
      break;
    case DType::kInt16:
      out.data = ConvertTo<int16_t>(values);
      break;
    case DType::kUInt16:
      out.data = ConvertTo<uint16_t>(values);
      break;
    case DType::kInt32:
      out.data = ConvertTo<int32_t>(values);
      break;
    case DType::kUInt32:
      out.data = ConvertTo<uint32_t>(values);
      break;
    case DType::kUInt64:
      out.data = ConvertTo<uint64_t>(values);
      break;
    case DType::kFp64:
      out.data = ConvertTo<double>(values);
      break;
    case DType::kInt64:
      out.data = ConvertTo<int64_t>(values);
      break;
    default:  // every other float dtype is held as fp32
      out.dtype = DType::kFp32;
      out.data = ConvertTo<float>(values);
      break;
  }
  return out;
}

}  // namespace

Result<Constant> Constant::FromTensor(const Tensor& tensor) {
  if (tensor.dtype == DType::kInvalid || tensor.dtype == DType::kString) {
    return Unsupported("tensors of {} cannot be held", ElementTypeName(tensor.type));
  }
  Constant constant{tensor.dtype, tensor.dims, tensor.data};
  // Half types only save space here; with one float type, readers of constants need no extra case.
  if (tensor.dtype == DType::kFp16 || tensor.dtype == DType::kBf16) {
    return Floats(constant.AsFloats(), tensor.dims);
  }
  return constant;
}

Constant Constant::Int64s(std::vector<int64_t> values, ir::Shape dims) {
  return {DType::kInt64, std::move(dims), Bytes::FromVector(std::move(values))};
}

Constant Constant::Floats(std::vector<float> values, ir::Shape dims) {
  return {DType::kFp32, std::move(dims), Bytes::FromVector(std::move(values))};
}

Constant Constant::FromDoubles(DType dtype, const std::vector<double>& values, ir::Shape dims) {
  if (!IsFloat(dtype) && dtype != DType::kBool) {
    // A conversion of NaN or of a value out of range to an integer is undefined: saturate instead.
    std::vector<int64_t> ints(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const double value = values[i];
      if (std::isnan(value)) {
        ints[i] = 0;
      } else if (value >= 9223372036854775808.0) {
        ints[i] = std::numeric_limits<int64_t>::max();
      } else if (value < -9223372036854775808.0) {
        ints[i] = std::numeric_limits<int64_t>::min();
      } else {
        ints[i] = static_cast<int64_t>(value);
      }
    }
    return FromValues(dtype, ints, std::move(dims));
  }
  return FromValues(dtype, values, std::move(dims));
}

Constant Constant::FromInts(DType dtype, const std::vector<int64_t>& values, ir::Shape dims) {
  return FromValues(dtype, values, std::move(dims));
}

std::optional<std::vector<int64_t>> Constant::AsInts() const {
  if (!is_integer()) return std::nullopt;
  std::vector<int64_t> out(static_cast<size_t>(count()));
  if (IsSubByte(dtype)) {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = ir::IntElement(data, dtype, static_cast<int64_t>(i));
    }
    return out;
  }
  const bool known = Visit(*this, [&](auto elements) {
    // int8 keeps its sign: this is a number, not a character.
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<int64_t>(elements[i]);  // NOLINT(bugprone-signed-char-misuse)
    }
  });
  if (!known) return std::nullopt;
  return out;
}

std::optional<std::vector<int64_t>> Constant::AsWholeNumbers() const {
  if (is_integer()) return AsInts();
  const auto values = AsDoubles();
  if (!values) return std::nullopt;
  std::vector<int64_t> whole;
  whole.reserve(values->size());
  for (const double value : *values) {
    const bool exact = value == std::trunc(value) && std::abs(value) <= kExactInFloat;
    if (!exact) return std::nullopt;
    whole.push_back(static_cast<int64_t>(value));
  }
  return whole;
}

std::optional<std::vector<double>> Constant::AsDoubles() const {
  std::vector<double> out(static_cast<size_t>(count()));
  if (dtype == DType::kFp16 || dtype == DType::kBf16) {
    const auto bits = data.As<uint16_t>();
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = dtype == DType::kFp16 ? HalfToFloat(bits[i]) : Bf16ToFloat(bits[i]);
    }
    return out;
  }
  if (IsSubByte(dtype)) {
    const auto ints = AsInts();
    if (!ints) return std::nullopt;
    out.assign(ints->begin(), ints->end());
    return out;
  }
  const bool known = Visit(*this, [&](auto elements) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(elements[i]);
  });
  if (!known) return std::nullopt;
  return out;
}

std::vector<float> Constant::AsFloats() const {
  if (dtype == DType::kFp32) {
    const auto elements = data.As<float>();
    return {elements.begin(), elements.end()};
  }
  const auto doubles = AsDoubles().value_or(std::vector<double>());
  return {doubles.begin(), doubles.end()};
}

Result<ir::Literal> Constant::ToLiteral() const {
  if (dtype == DType::kFp32 || dtype == DType::kInt32 || dtype == DType::kBool) {
    return ir::Literal::FromBytes(ir::Type::Tensor(dtype, dims), data);
  }
  if (IsFloat(dtype)) {
    return ir::Literal::FromBytes(ir::Type::Tensor(DType::kFp32, dims),
                                  Bytes::FromVector(AsFloats()));
  }
  const auto ints = AsInts();
  if (!ints) return Unsupported("a constant of {} cannot be expressed", DTypeName(dtype));
  std::vector<int32_t> narrow(ints->size());
  for (size_t i = 0; i < ints->size(); ++i) {
    const int64_t value = (*ints)[i];
    if (!std::in_range<int32_t>(value)) {
      return Unsupported("a constant holds {}, but Core ML's integers have 32 bits", value)
          .Advise("where the nearest number that fits serves as well, --clamp-int64 takes it");
    }
    narrow[i] = static_cast<int32_t>(value);
  }
  return ir::Literal::FromBytes(ir::Type::Tensor(DType::kInt32, dims),
                                Bytes::FromVector(std::move(narrow)));
}

std::optional<Constant> Constant::ClampedToInt32(int64_t* first) const {
  if (!IsInt(dtype) || BitWidth(dtype) < 32) return std::nullopt;
  auto ints = AsInts();
  if (!ints) return std::nullopt;
  const auto found = std::ranges::find_if_not(*ints, std::in_range<int32_t, int64_t>);
  if (found == ints->end()) return std::nullopt;
  *first = *found;
  for (int64_t& value : *ints) value = std::clamp<int64_t>(value, INT32_MIN, INT32_MAX);
  return Int64s(std::move(*ints), dims);
}

}  // namespace anemone::onnx
