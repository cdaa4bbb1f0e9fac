// NumPy's array files: .npy read and write (versions 1 to 3), .npz read.
// In memory an array is row-major and little-endian, whatever the file's order was.
// Ownership: arrays of a .npy are views of the mapping where order and alignment allow, else
// copies. Thread rules: pure functions. Errors: not_found and io from the system, invalid_input for
// broken files, unsupported for element types that are not plain numbers or are big-endian.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/dtype.h"
#include "base/status.h"

namespace anemone {

struct NpyArray {
  DType dtype = DType::kInvalid;  // bool, fp16, fp32, fp64, int8 to int64, uint8 to uint64
  std::vector<int64_t> shape;
  Bytes data;
};

Result<NpyArray> ParseNpy(const Bytes& file);
Result<NpyArray> ReadNpy(const std::string& path);

// The bytes of a version 1 file (2 when the header is too long for it), equal to what numpy.save
// writes.
Result<std::vector<std::byte>> EncodeNpy(const NpyArray& array);

// The arrays of an .npz in the order of the archive; names without the ".npy".
Result<std::vector<std::pair<std::string, NpyArray>>> ParseNpz(const Bytes& file);
Result<std::vector<std::pair<std::string, NpyArray>>> ReadNpz(const std::string& path);

}  // namespace anemone
