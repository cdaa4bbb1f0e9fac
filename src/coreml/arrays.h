// MLMultiArrays over our memory, and copies out of Core ML's. Objective-C++ only; call
// inside Pooled().
#pragma once

#include "coreml/objc.h"
#include "exec/tensor.h"
#include "ir/type.h"

namespace anemone::coreml {

// An array over `data`, row-major, which the caller keeps alive as long as the array. Autoreleased.
// `dtype` is kFp16, kFp32 or kInt32.
Result<MLMultiArray*> ArrayOver(void* data, DType dtype, const ir::Shape& shape);
// Copies `array` into `to`, whatever its strides and float type. exec::Failure(kSchemaMismatch)
// when its shape or kind differs.
Status CopyOut(MLMultiArray* array, const exec::MutableTensor& to);
Status CopyIn(const exec::ConstTensor& from, MLMultiArray* array);
// kInvalid for a type that is not handled.
DType DTypeOf(MLMultiArray* array);

}  // namespace anemone::coreml
