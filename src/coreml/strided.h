// Copies between Core ML's strided arrays and row-major tensors. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "exec/tensor.h"

namespace anemone::coreml {

// An array in Core ML's memory.
struct StridedArray {
  DType dtype = DType::kInvalid;  // kFp16, kFp32, kFp64 or kInt32
  ir::Shape shape;
  ir::Shape strides;  // in elements
  size_t size_bytes = 0;
};

// Reads `bytes` into `to`, with float kinds converted to float32. exec::Failure(kSchemaMismatch)
// when the element counts or kinds differ, or the strides lead outside the memory.
Status CopyFromStrided(const StridedArray& from, const void* bytes, const exec::MutableTensor& to);
// Writes `from` into `bytes`, float32 rounded to half where the array holds halves.
Status CopyToStrided(const exec::ConstTensor& from, const StridedArray& to, void* bytes);

}  // namespace anemone::coreml
