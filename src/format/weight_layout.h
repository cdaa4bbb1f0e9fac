// The byte layout of weights/weight.bin, version 2. All numbers are little-endian.
//
//   0    FileHeader      64 bytes
//   64   BlobHeader      64 bytes   <- what a BlobFileValue's offset in the model points at
//   128  data            size_bytes, then zeros up to the next multiple of 64
//   ...  BlobHeader, data, BlobHeader, data ...; the last blob is not padded
//
// Sub-byte elements are packed, the first one in the lowest bits of the first byte, across
// byte boundaries.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/dtype.h"

namespace anemone::format {

static_assert(std::endian::native == std::endian::little, "weight.bin is read in place");

constexpr uint64_t kBlobAlignment = 64;
constexpr uint32_t kWeightFileVersion = 2;
constexpr uint32_t kBlobSentinel = 0xDEADBEEF;

struct FileHeader {
  uint32_t blob_count = 0;
  uint32_t version = kWeightFileVersion;
  uint64_t reserved[7] = {};
};
static_assert(sizeof(FileHeader) == 64);

struct BlobHeader {
  uint32_t sentinel = kBlobSentinel;
  uint32_t blob_dtype = 0;            // BlobDType
  uint64_t size_bytes = 0;            // of the data, padding to 64 not counted
  uint64_t offset = 0;                // of the data, from the start of the file
  uint64_t unused_trailing_bits = 0;  // sub-byte dtypes: bits of the last byte that hold no element
  uint64_t reserved[4] = {};          // of any value; written as 0, like the field above
};
static_assert(sizeof(BlobHeader) == 64);
static_assert(offsetof(BlobHeader, size_bytes) == 8);
static_assert(offsetof(BlobHeader, offset) == 16);
static_assert(offsetof(BlobHeader, unused_trailing_bits) == 24);

// Element types of blobs; the numbers are not those of the model's own DataType.
enum class BlobDType : uint32_t {
  kFp16 = 1,
  kFp32 = 2,
  kUInt8 = 3,
  kInt8 = 4,
  kBf16 = 5,
  kInt16 = 6,
  kUInt16 = 7,
  kInt4 = 8,
  kUInt1 = 9,
  kUInt2 = 10,
  kUInt4 = 11,
  kUInt3 = 12,
  kUInt6 = 13,
  kInt32 = 14,
  kUInt32 = 15,
};

// nullopt for element types that a blob cannot hold (strings, booleans, 64-bit types).
std::optional<BlobDType> BlobDTypeOf(DType dtype);
// nullopt for an unassigned number.
std::optional<DType> DTypeOfBlob(uint32_t blob_dtype);

// `size` rounded up to a multiple of 64; nullopt on overflow.
constexpr std::optional<uint64_t> AlignToBlob(uint64_t size) {
  if (size > UINT64_MAX - (kBlobAlignment - 1)) return std::nullopt;
  return (size + kBlobAlignment - 1) / kBlobAlignment * kBlobAlignment;
}

}  // namespace anemone::format
