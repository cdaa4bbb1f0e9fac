// WeightReader: blobs of a weight.bin as views into the mapped file. The file is not trusted: each
// header and range is checked before a view is made. Ownership: the views keep the mapping alive
// and may outlive the reader. Thread rules: immutable once opened. Errors: kNotFound / kIo when the
// file cannot be mapped, kInvalidInput with the offset and the broken rule otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/dtype.h"
#include "base/status.h"

namespace anemone::format {

// A blob of the file as its header describes it.
struct BlobInfo {
  uint64_t header_offset = 0;
  DType dtype = DType::kInvalid;
  uint64_t size_bytes = 0;
  int64_t element_count = 0;
};

class WeightReader {
 public:
  static Result<WeightReader> Open(const std::string& path);
  // The same over bytes in memory; `name` is what errors call the file.
  static Result<WeightReader> FromBytes(Bytes file, std::string name);

  // The data of the blob whose header is at `header_offset`: exactly `count` elements of `dtype`.
  Result<Bytes> Read(uint64_t header_offset, DType dtype, int64_t count) const;

  // Every blob, in file order, found by walking from header to header as writers lay them out.
  Result<std::vector<BlobInfo>> List() const;

  uint64_t size_bytes() const { return file_.size(); }

 private:
  WeightReader(Bytes file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}
  struct Blob {
    BlobInfo info;
    uint64_t data_offset = 0;
  };
  Result<Blob> ReadHeader(uint64_t header_offset) const;

  Bytes file_;
  std::string name_;
};

}  // namespace anemone::format
