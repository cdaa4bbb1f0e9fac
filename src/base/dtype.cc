#include "base/dtype.h"

#include <array>
#include <bit>
#include <limits>

namespace anemone {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  int bits;
};

// In the order of the enum.
constexpr std::array<Row, 21> kRows{{
    {DType::kInvalid, "invalid", 0}, {DType::kBool, "bool", 8},      {DType::kString, "string", 0},
    {DType::kFp16, "fp16", 16},      {DType::kBf16, "bf16", 16},     {DType::kFp32, "fp32", 32},
    {DType::kFp64, "fp64", 64},      {DType::kInt4, "int4", 4},      {DType::kInt8, "int8", 8},
    {DType::kInt16, "int16", 16},    {DType::kInt32, "int32", 32},   {DType::kInt64, "int64", 64},
    {DType::kUInt1, "uint1", 1},     {DType::kUInt2, "uint2", 2},    {DType::kUInt3, "uint3", 3},
    {DType::kUInt4, "uint4", 4},     {DType::kUInt6, "uint6", 6},    {DType::kUInt8, "uint8", 8},
    {DType::kUInt16, "uint16", 16},  {DType::kUInt32, "uint32", 32}, {DType::kUInt64, "uint64", 64},
}};

constexpr bool RowsMatchEnum() {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<size_t>(kRows[i].dtype) != i) return false;
  }
  return true;
}
static_assert(RowsMatchEnum());

const Row& RowOf(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

std::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }

std::optional<DType> DTypeFromName(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name && row.dtype != DType::kInvalid) return row.dtype;
  }
  return std::nullopt;
}

int BitWidth(DType dtype) { return RowOf(dtype).bits; }

bool IsFloat(DType dtype) {
  return dtype == DType::kFp16 || dtype == DType::kBf16 || dtype == DType::kFp32 ||
         dtype == DType::kFp64;
}
bool IsSignedInt(DType dtype) { return dtype >= DType::kInt4 && dtype <= DType::kInt64; }
bool IsUnsignedInt(DType dtype) { return dtype >= DType::kUInt1 && dtype <= DType::kUInt64; }

std::optional<size_t> ByteSize(DType dtype, int64_t count) {
  if (count < 0) return std::nullopt;
  const auto bits = static_cast<uint64_t>(BitWidth(dtype));
  const auto n = static_cast<uint64_t>(count);
  if (bits != 0 && n > (std::numeric_limits<uint64_t>::max() - 7) / bits) return std::nullopt;
  return static_cast<size_t>((n * bits + 7) / 8);
}

float HalfToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1Fu;
  const uint32_t mantissa = bits & 0x3FFu;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
  if (exponent == 0) {
    // Subnormal: mantissa * 2^-24, exact in float.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u)
    return sign | 0x7E00u | static_cast<uint16_t>((magnitude >> 13) & 0x3FFu);
  if (magnitude >= 0x477FF000u) return sign | 0x7C00u;  // 65520 and above round to infinity
  if (magnitude < 0x38800000u) {
    // Result is subnormal or zero: adding 0.5f aligns the rounding point of the sum with 2^-24.
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(aligned) - 0x3F000000u);
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  const uint32_t rounded = magnitude + 0xFFFu + odd - (112u << 23);
  return sign | static_cast<uint16_t>(rounded >> 13);
}

float Bf16ToFloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t FloatToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace anemone
