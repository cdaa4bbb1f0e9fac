// Element types of tensors, and IEEE half precision. The set is that of Core ML's MIL (MIL.proto
// DataType) plus bf16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace anemone {

enum class DType : uint8_t {
  kInvalid,
  kBool,  // one byte each, 0 or 1
  kString,
  kFp16,
  kBf16,
  kFp32,
  kFp64,
  kInt4,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt1,  // the sub-byte types are packed, first element in the lowest bits of the first byte
  kUInt2,
  kUInt3,
  kUInt4,
  kUInt6,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
};

// "fp16", "int32", "bool" ...: the names of MIL's text form.
std::string_view DTypeName(DType dtype);
std::optional<DType> DTypeFromName(std::string_view name);

// Width of one element in bits; 0 for strings and kInvalid.
int BitWidth(DType dtype);
inline bool IsSubByte(DType dtype) { return BitWidth(dtype) > 0 && BitWidth(dtype) < 8; }
bool IsFloat(DType dtype);
bool IsSignedInt(DType dtype);
bool IsUnsignedInt(DType dtype);
inline bool IsInt(DType dtype) { return IsSignedInt(dtype) || IsUnsignedInt(dtype); }
// Bytes that `count` elements take (packed for sub-byte types); nullopt when that overflows.
std::optional<size_t> ByteSize(DType dtype, int64_t count);

// IEEE 754 binary16 as storage. Conversions round to nearest, ties to even; NaN and infinities are
// kept.
float HalfToFloat(uint16_t bits);
uint16_t FloatToHalf(float value);
struct Half {
  uint16_t bits = 0;
  Half() = default;
  explicit Half(float value) : bits(FloatToHalf(value)) {}
  operator float() const { return HalfToFloat(bits); }  // NOLINT: reads like a float
};
static_assert(sizeof(Half) == 2);
float Bf16ToFloat(uint16_t bits);
uint16_t FloatToBf16(float value);

// Whole arrays; `in` and `out` have equal length.
void HalfToFloat(std::span<const Half> in, std::span<float> out);
void FloatToHalf(std::span<const float> in, std::span<Half> out);
// Rounds each value to the nearest half in place (the float16 numerics of the executor).
void RoundToHalf(std::span<float> values);

}  // namespace anemone
