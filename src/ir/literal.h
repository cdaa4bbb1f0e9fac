// Literal: a constant of the program. A tensor literal holds its elements row-major as Bytes,
// usually a view into the memory-mapped weight.bin; a string tensor holds strings; lists, tuples
// and dictionaries hold literals. Thread rules: immutable once built; copies share the data.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <span>

#include "base/bytes.h"
#include "base/status.h"
#include "ir/type.h"

namespace anemone::ir {

class Literal {
 public:
  Literal() = default;
  // `bytes` holds exactly the elements of `type` (static tensor of no string dtype). Checked.
  static Result<Literal> FromBytes(Type type, Bytes bytes);
  // A tensor of zero bits.
  static Literal Zeros(Type type);

  static Literal Bool(bool value);
  static Literal Int32(int32_t value);
  static Literal Fp32(float value);
  static Literal Fp16(float value);                // rounded to half
  static Literal Float(DType dtype, float value);  // kFp16 or kFp32
  static Literal String(std::string value);
  static Literal Strings(std::vector<std::string> values);    // rank 1
  static Literal Int32s(const std::vector<int64_t>& values);  // rank 1; values must fit
  static Literal Bools(const std::vector<bool>& values);
  static Literal Fp32s(std::vector<float> values, Shape shape);
  // Converts float values to `dtype` (kFp16 or kFp32).
  static Literal Floats(DType dtype, const std::vector<float>& values, Shape shape);
  // A list (all of one type), tuple or dictionary (keys at even places, values at odd ones)
  // of `elements`.
  static Literal Compound(Type type, std::vector<Literal> elements);

  const Type& type() const { return type_; }
  DType dtype() const { return type_.dtype(); }
  const Shape& shape() const { return type_.shape(); }
  int64_t element_count() const { return type_.element_count().value_or(0); }
  const Bytes& bytes() const { return bytes_; }
  const std::vector<std::string>& strings() const;
  const std::vector<Literal>& elements() const;

  // Typed view of the elements. T's size must match the dtype (Half for fp16, uint8_t for bool).
  template <typename T>
  std::span<const T> As() const {
    return bytes_.As<T>();
  }

  // Conversions of scalars or one-element tensors; nullopt when the dtype does not fit.
  std::optional<int64_t> AsInt() const;    // any integer dtype, bool
  std::optional<double> AsDouble() const;  // any float or integer dtype
  std::optional<bool> AsBool() const;
  std::optional<std::string> AsString() const;
  // All elements, row-major; nullopt when the dtype is neither an integer nor bool.
  std::optional<std::vector<int64_t>> AsInts() const;
  // All elements as doubles, from any numeric dtype, sub-byte ones included.
  std::optional<std::vector<double>> AsDoubles() const;
  // All elements as floats: the fast path for weights.
  std::optional<std::vector<float>> AsFloats() const;

  // "3", "fp16(0.5)", "\"same\"", "[1, 1]", "tensor<fp32, [2, 2]>([1, 2, 3, 4])": the text form
  // (text_printer.cc).
  std::string ToString() const;
  // Same type and same bits (NaN equals itself).
  friend bool operator==(const Literal& a, const Literal& b);

 private:
  Type type_;
  Bytes bytes_;
  std::shared_ptr<const std::vector<std::string>> strings_;
  std::shared_ptr<const std::vector<Literal>> elements_;
};

// Element `index` of a packed tensor of any integer dtype, sub-byte ones included.
int64_t IntElement(const Bytes& bytes, DType dtype, int64_t index);
// Packs integers into a sub-byte or wider integer dtype; the values must fit.
Bytes PackInts(const std::vector<int64_t>& values, DType dtype);

}  // namespace anemone::ir
