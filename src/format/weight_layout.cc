#include "format/weight_layout.h"

#include <array>

namespace anemone::format {
namespace {

struct BlobTypeRow {
  BlobDType blob;
  DType dtype;
};

constexpr std::array<BlobTypeRow, 15> kBlobTypes{{
    {BlobDType::kFp16, DType::kFp16},
    {BlobDType::kFp32, DType::kFp32},
    {BlobDType::kUInt8, DType::kUInt8},
    {BlobDType::kInt8, DType::kInt8},
    {BlobDType::kBf16, DType::kBf16},
    {BlobDType::kInt16, DType::kInt16},
    {BlobDType::kUInt16, DType::kUInt16},
    {BlobDType::kInt4, DType::kInt4},
    {BlobDType::kUInt1, DType::kUInt1},
    {BlobDType::kUInt2, DType::kUInt2},
    {BlobDType::kUInt4, DType::kUInt4},
    {BlobDType::kUInt3, DType::kUInt3},
    {BlobDType::kUInt6, DType::kUInt6},
    {BlobDType::kInt32, DType::kInt32},
    {BlobDType::kUInt32, DType::kUInt32},
}};

}  // namespace

std::optional<BlobDType> BlobDTypeOf(DType dtype) {
  for (const BlobTypeRow& row : kBlobTypes) {
    if (row.dtype == dtype) return row.blob;
  }
  return std::nullopt;
}

std::optional<DType> DTypeOfBlob(uint32_t blob_dtype) {
  for (const BlobTypeRow& row : kBlobTypes) {
    if (static_cast<uint32_t>(row.blob) == blob_dtype) return row.dtype;
  }
  return std::nullopt;
}

}  // namespace anemone::format
