#include "ir/literal.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace anemone::ir {
namespace {

template <typename T>
int64_t LoadInt(const Bytes& bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return static_cast<int64_t>(value);
}

template <typename T>
T LoadFloat(const Bytes& bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

double FloatElement(const Bytes& bytes, DType dtype, int64_t index) {
  switch (dtype) {
    case DType::kFp16:
      return HalfToFloat(LoadFloat<uint16_t>(bytes, index));
    case DType::kBf16:
      return Bf16ToFloat(LoadFloat<uint16_t>(bytes, index));
    case DType::kFp32:
      return LoadFloat<float>(bytes, index);
    default:
      return LoadFloat<double>(bytes, index);
  }
}

// `width` bits from bit `index * width`, lowest first.
uint32_t PackedBits(const Bytes& bytes, int width, int64_t index) {
  const int64_t first = index * width;
  uint32_t bits = 0;
  for (int i = 0; i < width; ++i) {
    const int64_t bit = first + i;
    const auto byte = static_cast<uint32_t>(bytes.data()[bit / 8]);
    bits |= ((byte >> (bit % 8)) & 1u) << i;
  }
  return bits;
}

template <typename T>
Literal ScalarOf(DType dtype, T value) {
  return Literal::FromBytes(Type::Scalar(dtype), Bytes::Copy(&value, sizeof(value))).value();
}

bool IsIntOrBool(DType dtype) { return IsInt(dtype) || dtype == DType::kBool; }

}  // namespace

int64_t IntElement(const Bytes& bytes, DType dtype, int64_t index) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUInt8:
      return LoadInt<uint8_t>(bytes, index);
    case DType::kInt8:
      return LoadInt<int8_t>(bytes, index);
    case DType::kInt16:
      return LoadInt<int16_t>(bytes, index);
    case DType::kUInt16:
      return LoadInt<uint16_t>(bytes, index);
    case DType::kInt32:
      return LoadInt<int32_t>(bytes, index);
    case DType::kUInt32:
      return LoadInt<uint32_t>(bytes, index);
    case DType::kInt64:
      return LoadInt<int64_t>(bytes, index);
    case DType::kUInt64:
      return LoadInt<uint64_t>(bytes, index);
    case DType::kInt4: {
      const uint32_t nibble = PackedBits(bytes, 4, index);
      return nibble < 8 ? nibble : static_cast<int64_t>(nibble) - 16;
    }
    default:
      return PackedBits(bytes, BitWidth(dtype), index);
  }
}

Bytes PackInts(const std::vector<int64_t>& values, DType dtype) {
  const int width = BitWidth(dtype);
  std::vector<uint8_t> packed((values.size() * width + 7) / 8, 0);
  if (width >= 8) {
    for (size_t i = 0; i < values.size(); ++i)
      std::memcpy(&packed[i * width / 8], &values[i], width / 8);
  } else {
    for (size_t i = 0; i < values.size(); ++i) {
      for (int b = 0; b < width; ++b) {
        const size_t bit = i * width + b;
        packed[bit / 8] |= static_cast<uint8_t>(((values[i] >> b) & 1) << (bit % 8));
      }
    }
  }
  return Bytes::FromVector(std::move(packed));
}

Result<Literal> Literal::FromBytes(Type type, Bytes bytes) {
  if (!type.is_static() || type.dtype() == DType::kString || type.dtype() == DType::kInvalid) {
    return InvalidInput("a constant of type {} cannot be made of bytes", type.ToString());
  }
  const auto count = type.element_count();
  const auto size = count ? ByteSize(type.dtype(), *count) : std::nullopt;
  if (!size)
    return InvalidInput("a constant of type {} overflows the address space", type.ToString());
  if (*size != bytes.size()) {
    return InvalidInput("a constant of type {} takes {} bytes, but {} are given", type.ToString(),
                        *size, bytes.size());
  }
  Literal literal;
  literal.type_ = std::move(type);
  literal.bytes_ = std::move(bytes);
  return literal;
}

Literal Literal::Zeros(Type type) {
  const size_t size = ByteSize(type.dtype(), type.element_count().value_or(0)).value_or(0);
  return FromBytes(std::move(type), Bytes::FromVector(std::vector<uint8_t>(size, 0))).value();
}

Literal Literal::Bool(bool value) { return ScalarOf<uint8_t>(DType::kBool, value ? 1 : 0); }
Literal Literal::Int32(int32_t value) { return ScalarOf(DType::kInt32, value); }
Literal Literal::Fp32(float value) { return ScalarOf(DType::kFp32, value); }
Literal Literal::Fp16(float value) { return ScalarOf(DType::kFp16, FloatToHalf(value)); }
Literal Literal::Float(DType dtype, float value) {
  return dtype == DType::kFp16 ? Fp16(value) : Fp32(value);
}

Literal Literal::String(std::string value) {
  Literal literal;
  literal.type_ = Type::Scalar(DType::kString);
  literal.strings_ = std::make_shared<const std::vector<std::string>>(1, std::move(value));
  return literal;
}

Literal Literal::Strings(std::vector<std::string> values) {
  Literal literal;
  literal.type_ = Type::Tensor(DType::kString, {static_cast<int64_t>(values.size())});
  literal.strings_ = std::make_shared<const std::vector<std::string>>(std::move(values));
  return literal;
}

Literal Literal::Int32s(const std::vector<int64_t>& values) {
  std::vector<int32_t> narrow(values.begin(), values.end());
  const auto count = static_cast<int64_t>(narrow.size());
  return FromBytes(Type::Tensor(DType::kInt32, {count}), Bytes::FromVector(std::move(narrow)))
      .value();
}

Literal Literal::Bools(const std::vector<bool>& values) {
  std::vector<uint8_t> bytes(values.begin(), values.end());
  const auto count = static_cast<int64_t>(bytes.size());
  return FromBytes(Type::Tensor(DType::kBool, {count}), Bytes::FromVector(std::move(bytes)))
      .value();
}

Literal Literal::Fp32s(std::vector<float> values, Shape shape) {
  return FromBytes(Type::Tensor(DType::kFp32, std::move(shape)),
                   Bytes::FromVector(std::move(values)))
      .value();
}

Literal Literal::Floats(DType dtype, const std::vector<float>& values, Shape shape) {
  if (dtype != DType::kFp16) return Fp32s(values, std::move(shape));
  std::vector<Half> halves(values.size());
  ::anemone::FloatToHalf(values, halves);
  return FromBytes(Type::Tensor(DType::kFp16, std::move(shape)),
                   Bytes::FromVector(std::move(halves)))
      .value();
}

Literal Literal::Compound(Type type, std::vector<Literal> elements) {
  Literal literal;
  literal.type_ = std::move(type);
  literal.elements_ = std::make_shared<const std::vector<Literal>>(std::move(elements));
  return literal;
}

const std::vector<std::string>& Literal::strings() const {
  static const std::vector<std::string> kNone;
  return strings_ ? *strings_ : kNone;
}

const std::vector<Literal>& Literal::elements() const {
  static const std::vector<Literal> kNone;
  return elements_ ? *elements_ : kNone;
}

std::optional<int64_t> Literal::AsInt() const {
  if (!type_.is_tensor() || !IsIntOrBool(dtype()) || element_count() != 1) return std::nullopt;
  return IntElement(bytes_, dtype(), 0);
}

std::optional<double> Literal::AsDouble() const {
  if (!type_.is_tensor() || element_count() != 1) return std::nullopt;
  if (IsFloat(dtype())) return FloatElement(bytes_, dtype(), 0);
  if (IsInt(dtype())) return static_cast<double>(IntElement(bytes_, dtype(), 0));
  return std::nullopt;
}

std::optional<bool> Literal::AsBool() const {
  if (!type_.is_tensor() || dtype() != DType::kBool || element_count() != 1) return std::nullopt;
  return IntElement(bytes_, DType::kBool, 0) != 0;
}

std::optional<std::string> Literal::AsString() const {
  if (!type_.is_tensor() || dtype() != DType::kString || strings().size() != 1) return std::nullopt;
  return strings()[0];
}

std::optional<std::vector<int64_t>> Literal::AsInts() const {
  if (!type_.is_tensor() || !IsIntOrBool(dtype())) return std::nullopt;
  std::vector<int64_t> values(element_count());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = IntElement(bytes_, dtype(), static_cast<int64_t>(i));
  return values;
}

std::optional<std::vector<double>> Literal::AsDoubles() const {
  if (!type_.is_tensor() || (!IsFloat(dtype()) && !IsIntOrBool(dtype()))) return std::nullopt;
  std::vector<double> values(element_count());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    values[i] = IsFloat(dtype()) ? FloatElement(bytes_, dtype(), index)
                                 : static_cast<double>(IntElement(bytes_, dtype(), index));
  }
  return values;
}

std::optional<std::vector<float>> Literal::AsFloats() const {
  if (!type_.is_tensor()) return std::nullopt;
  if (dtype() == DType::kFp32) {
    std::vector<float> values(element_count());
    if (!values.empty()) std::memcpy(values.data(), bytes_.data(), bytes_.size());
    return values;
  }
  if (dtype() == DType::kFp16) {
    std::vector<float> values(element_count());
    ::anemone::HalfToFloat(As<Half>(), values);
    return values;
  }
  const auto doubles = AsDoubles();
  if (!doubles) return std::nullopt;
  return std::vector<float>(doubles->begin(), doubles->end());
}

bool operator==(const Literal& a, const Literal& b) {
  if (!(a.type_ == b.type_)) return false;
  if (!a.type_.is_tensor()) return a.elements() == b.elements();
  if (a.dtype() == DType::kString) return a.strings() == b.strings();
  return a.bytes_.size() == b.bytes_.size() &&
         (a.bytes_.data() == b.bytes_.data() || a.bytes_.empty() ||
          std::memcmp(a.bytes_.data(), b.bytes_.data(), a.bytes_.size()) == 0);
}

}  // namespace anemone::ir
