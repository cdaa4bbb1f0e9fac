// The safetensors weight format: memory-mapped reader (one file or a sharded index) and a
// deterministic writer.
//
//   +--------------+------------------------------+------------------------------------+
//   | u64 LE: N    | N bytes of JSON (UTF-8)      | data: the tensors back to back     |
//   +--------------+------------------------------+------------------------------------+
// {"__metadata__": {string: string},
//  NAME: {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, ...}
//
// Every rule of the format is checked before a byte of data is used: header size, JSON shape,
// duplicate names, data type, shape overflow, offsets in range, no overlap, no gap, nothing after
// the last tensor. Ownership: tensors are views that keep the mapping alive. Thread rules:
// immutable after opening. Errors: not_found and io from the system; invalid_input with the
// tensor's name and the rule; unsupported for data types that DType does not have (F8, F4, C64).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/dtype.h"
#include "base/status.h"

namespace anemone::acquire {

// Of a file's header, the limit of the format's own reader.
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

struct NamedTensor {
  std::string name;
  DType dtype = DType::kInvalid;
  std::vector<int64_t> shape;
  Bytes data;  // row-major, little-endian, aligned for dtype
};

class SafeTensors {
 public:
  // `path` is a .safetensors file, or an index (a .json file with "weight_map") beside its shards.
  static Result<SafeTensors> Open(const std::string& path);
  // The same from bytes in memory; a single file only.
  static Result<SafeTensors> Parse(const Bytes& file);

  // Sorted by name, names unique.
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  // nullptr when absent. The pointer lives as long as this object.
  const NamedTensor* Find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  static Result<SafeTensors> OpenIndex(const std::string& path, const Bytes& text);

  std::vector<NamedTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

// The bytes of one .safetensors file. Tensors are laid out widest type first and then by name, and
// the header is padded to 8 bytes, so that every tensor is aligned and the same input gives the
// same bytes, whatever order it came in.
Result<std::vector<std::byte>> EncodeSafeTensors(
    std::vector<NamedTensor> tensors, const std::map<std::string, std::string>& metadata);

}  // namespace anemone::acquire
