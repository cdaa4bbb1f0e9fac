#include "format/weight_reader.h"

#include <algorithm>
#include <cstring>

#include "base/mapped_file.h"
#include "format/weight_layout.h"

namespace anemone::format {

Result<WeightReader> WeightReader::Open(const std::string& path) {
  ANEMONE_ASSIGN(Bytes file, MapFile(path));
  return FromBytes(std::move(file), path);
}

Result<WeightReader> WeightReader::FromBytes(Bytes file, std::string name) {
  if (file.size() < sizeof(FileHeader)) {
    return InvalidInput("a weight file starts with a header of {} bytes, but the file has {} bytes",
                        sizeof(FileHeader), file.size())
        .At(name);
  }
  FileHeader header;
  std::memcpy(&header, file.data(), sizeof(header));
  if (header.version != kWeightFileVersion) {
    return InvalidInput("weight file version {} is not known; version {} is expected",
                        header.version, kWeightFileVersion)
        .At(name);
  }
  return WeightReader(std::move(file), std::move(name));
}

Result<WeightReader::Blob> WeightReader::ReadHeader(uint64_t header_offset) const {
  const auto fail = [&](Error error) {
    return std::move(error).At(fmt::format("offset {}", header_offset)).At(name_);
  };
  const uint64_t file_size = file_.size();
  if (header_offset % kBlobAlignment != 0 || header_offset < sizeof(FileHeader)) {
    return fail(InvalidInput("a blob's header must be at a multiple of {} after the file's header",
                             kBlobAlignment));
  }
  if (header_offset > file_size || file_size - header_offset < sizeof(BlobHeader)) {
    return fail(InvalidInput("the blob's header lies outside the file of {} bytes", file_size));
  }
  BlobHeader header;
  std::memcpy(&header, file_.data() + header_offset, sizeof(header));
  if (header.sentinel != kBlobSentinel) {
    return fail(InvalidInput("a blob's header must start with {:#010x}, but starts with {:#010x}",
                             kBlobSentinel, header.sentinel));
  }
  const std::optional<DType> dtype = DTypeOfBlob(header.blob_dtype);
  if (!dtype) return fail(InvalidInput("blob data type {} is not known", header.blob_dtype));
  if (header.offset % kBlobAlignment != 0) {
    return fail(InvalidInput("a blob's data must be at a multiple of {}, but is at {}",
                             kBlobAlignment, header.offset));
  }
  if (header.offset > file_size || header.size_bytes > file_size - header.offset) {
    return fail(InvalidInput("the blob's data ({} bytes at {}) lies outside the file of {} bytes",
                             header.size_bytes, header.offset, file_size));
  }
  const auto bits = static_cast<uint64_t>(BitWidth(*dtype));
  // Only sub-byte elements leave bits unused. For all others the field is one of the reserved ones,
  // which coremltools 7 left as they were in memory; Core ML reads neither.
  const uint64_t unused_bits = bits < 8 ? header.unused_trailing_bits : 0;
  // size_bytes is at most the file's size, so size_bytes * 8 does not overflow.
  const uint64_t data_bits = header.size_bytes * 8;
  if (unused_bits > 7 || unused_bits > data_bits || (data_bits - unused_bits) % bits != 0) {
    return fail(InvalidInput("{} bytes with {} unused bits do not hold whole {} elements",
                             header.size_bytes, unused_bits, DTypeName(*dtype)));
  }
  const auto count = static_cast<int64_t>((data_bits - unused_bits) / bits);
  return Blob{{header_offset, *dtype, header.size_bytes, count}, header.offset};
}

Result<Bytes> WeightReader::Read(uint64_t header_offset, DType dtype, int64_t count) const {
  ANEMONE_ASSIGN(const Blob blob, ReadHeader(header_offset));
  if (blob.info.dtype != dtype || blob.info.element_count != count) {
    return InvalidInput("the blob holds {} {} elements, but the model declares {} {} elements",
                        blob.info.element_count, DTypeName(blob.info.dtype), count,
                        DTypeName(dtype))
        .At(fmt::format("offset {}", header_offset))
        .At(name_);
  }
  return file_.Slice(blob.data_offset, blob.info.size_bytes);
}

Result<std::vector<BlobInfo>> WeightReader::List() const {
  FileHeader header;
  std::memcpy(&header, file_.data(), sizeof(header));
  std::vector<BlobInfo> blobs;
  uint64_t next = sizeof(FileHeader);
  // The count is only a claim; each step reads a real header, so the file's size bounds the walk.
  for (uint32_t i = 0; i < header.blob_count; ++i) {
    ANEMONE_ASSIGN(const Blob blob, ReadHeader(next));
    blobs.push_back(blob.info);
    const uint64_t end = *AlignToBlob(blob.data_offset + blob.info.size_bytes);
    next = std::max(end, next + sizeof(BlobHeader));
  }
  return blobs;
}

}  // namespace anemone::format
