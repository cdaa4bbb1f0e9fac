// The result of every pruning method for a weight: a mask, and the values that it keeps. Thread
// rules: pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "compress/method.h"
#include "ir/literal.h"

namespace anemone::compress {

struct SparseTensor {
  std::vector<uint8_t> mask;  // row-major over the tensor's shape: 1 where a value is kept
  ir::Shape shape;
  ir::Literal values;  // [kept], of the tensor's dtype
  double max_error = 0;
  double rms_error = 0;
};

// Keeps the elements of `weight` (fp32 or fp16, `values` as floats) that `mask` keeps, except
// zeros, which are never stored.
Result<SparseTensor> KeepMasked(const ir::Literal& weight, const std::vector<float>& values,
                                std::vector<uint8_t> mask);
std::unique_ptr<CompressedWeight> MakeSparseWeight(SparseTensor tensor);

// Shared answers of the pruning methods.
OpsetNeed SparseNeed();
bool TakesSparse(SiteKind kind, bool joint);

// One operation's result in the dtype of the tensor.
inline float RoundedTo(DType dtype, float value) {
  return dtype == DType::kFp16 ? HalfToFloat(FloatToHalf(value)) : value;
}

}  // namespace anemone::compress
