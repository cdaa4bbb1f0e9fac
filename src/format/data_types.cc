#include "format/data_types.h"

#include <array>

namespace anemone::format {
namespace {

struct MilTypeRow {
  int32_t wire;
  DType dtype;
};

constexpr std::array<MilTypeRow, 20> kMilTypes{{
    {1, DType::kBool},    {2, DType::kString},  {10, DType::kFp16},   {11, DType::kFp32},
    {12, DType::kFp64},   {13, DType::kBf16},   {21, DType::kInt8},   {22, DType::kInt16},
    {23, DType::kInt32},  {24, DType::kInt64},  {25, DType::kInt4},   {31, DType::kUInt8},
    {32, DType::kUInt16}, {33, DType::kUInt32}, {34, DType::kUInt64}, {35, DType::kUInt4},
    {36, DType::kUInt2},  {37, DType::kUInt1},  {38, DType::kUInt6},  {39, DType::kUInt3},
}};
constexpr int32_t kMilFloat8E4M3FN = 40;
constexpr int32_t kMilFloat8E5M2 = 41;

// The kind (float or integer) in the high half, the width in bits in the low one.
constexpr int32_t kFloatKind = 0x10000;
constexpr int32_t kIntKind = 0x20000;
constexpr std::array<MilTypeRow, 5> kFeatureTypes{{
    {kFloatKind | 16, DType::kFp16},
    {kFloatKind | 32, DType::kFp32},
    {kFloatKind | 64, DType::kFp64},
    {kIntKind | 8, DType::kInt8},
    {kIntKind | 32, DType::kInt32},
}};

constexpr std::array<std::string_view, 4> kOpsets = {"CoreML5", "CoreML6", "CoreML7", "CoreML8"};
// That of iOS26, whose operators are those of iOS18 (ir::OpsetOfSpecVersion).
constexpr std::string_view kIOS26Opset = "CoreML9";

constexpr size_t kMaxNameBytes = 64 * 1024;

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0 (RFC 3629: no surrogates,
// no overlong forms).
size_t Utf8SequenceLength(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i, int low = 0x80, int high = 0xBF) {
    return i < text.size() && at(i) >= low && at(i) <= high;
  };
  const int lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const int low = lead == 0xE0 ? 0xA0 : 0x80;
    const int high = lead == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const int low = lead == 0xF0 ? 0x90 : 0x80;
    const int high = lead == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool HasControlCharacter(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  }
  return false;
}

}  // namespace

Result<DType> DTypeOfMil(int32_t data_type) {
  for (const MilTypeRow& row : kMilTypes) {
    if (row.wire == data_type) return row.dtype;
  }
  if (data_type == kMilFloat8E4M3FN || data_type == kMilFloat8E5M2) {
    return Unsupported("element type {} is not supported",
                       data_type == kMilFloat8E4M3FN ? "float8e4m3fn" : "float8e5m2");
  }
  return InvalidInput("element type {} is not known", data_type);
}

Result<int32_t> MilOfDType(DType dtype) {
  for (const MilTypeRow& row : kMilTypes) {
    if (row.dtype == dtype) return row.wire;
  }
  return Unsupported("a Core ML program cannot hold elements of type {}", DTypeName(dtype));
}

Result<DType> DTypeOfFeature(int32_t data_type) {
  for (const MilTypeRow& row : kFeatureTypes) {
    if (row.wire == data_type) return row.dtype;
  }
  return InvalidInput("array data type {} is not known", data_type);
}

Result<int32_t> FeatureOfDType(DType dtype) {
  for (const MilTypeRow& row : kFeatureTypes) {
    if (row.dtype == dtype) return row.wire;
  }
  return Unsupported("a feature cannot be an array of {}", DTypeName(dtype));
}

std::string_view OpsetToWire(ir::Opset opset) { return kOpsets[static_cast<size_t>(opset)]; }

Result<ir::Opset> OpsetFromWire(std::string_view name) {
  for (size_t i = 0; i < kOpsets.size(); ++i) {
    if (kOpsets[i] == name) return static_cast<ir::Opset>(i);
  }
  if (name == kIOS26Opset) return ir::Opset::kIOS18;
  return Unsupported("op set '{}' is not supported; {} to {} are", name, kOpsets.front(),
                     kIOS26Opset)
      .Advise("convert the original model again, with a deployment target of iOS26 or earlier");
}

Result<std::string> CheckedName(const std::string& bytes, std::string_view what) {
  if (bytes.empty()) return InvalidInput("{} is empty", what);
  if (bytes.size() > kMaxNameBytes) {
    return InvalidInput("{} has {} bytes; the limit is {}", what, bytes.size(), kMaxNameBytes);
  }
  if (!IsUtf8(bytes)) return InvalidInput("{} is not UTF-8", what);
  if (HasControlCharacter(bytes)) return InvalidInput("{} holds a control character", what);
  return bytes;
}

Result<std::string> CheckedText(const std::string& bytes, std::string_view what) {
  if (!IsUtf8(bytes)) return InvalidInput("{} is not UTF-8", what);
  return bytes;
}

}  // namespace anemone::format
