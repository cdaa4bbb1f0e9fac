#include "coreml/arrays.h"

#include "coreml/strided.h"

namespace anemone::coreml {
namespace {

MLMultiArrayDataType DataTypeOf(DType dtype) {
  if (dtype == DType::kFp16) return MLMultiArrayDataTypeFloat16;
  return dtype == DType::kInt32 ? MLMultiArrayDataTypeInt32 : MLMultiArrayDataTypeFloat32;
}

StridedArray Describe(MLMultiArray* array, NSArray* strides, NSInteger size_bytes) {
  return {DTypeOf(array), ShapeOf([array shape]), ShapeOf(strides),
          static_cast<size_t>(size_bytes)};
}

}  // namespace

DType DTypeOf(MLMultiArray* array) {
  switch ([array dataType]) {
    case MLMultiArrayDataTypeFloat16:
      return DType::kFp16;
    case MLMultiArrayDataTypeFloat32:
      return DType::kFp32;
    case MLMultiArrayDataTypeDouble:
      return DType::kFp64;
    case MLMultiArrayDataTypeInt32:
      return DType::kInt32;
    default:
      return DType::kInvalid;
  }
}

Result<MLMultiArray*> ArrayOver(void* data, DType dtype, const ir::Shape& shape) {
  ir::Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i > 1; --i) strides[i - 2] = strides[i - 1] * shape[i - 1];
  NSError* error = nil;
  MLMultiArray* array = [[[MLMultiArray alloc] initWithDataPointer:data
                                                             shape:NsShape(shape)
                                                          dataType:DataTypeOf(dtype)
                                                           strides:NsShape(strides)
                                                       deallocator:nil
                                                             error:&error] autorelease];
  if (array == nil) return ErrorOf(exec::FailureKind::kRuntimeError, error);
  return array;
}

Status CopyOut(MLMultiArray* array, const exec::MutableTensor& to) {
  Status status;
  Status* out = &status;  // the block runs before this returns
  NSArray* strides = [array strides];
  [array getBytesWithHandler:^(const void* bytes, NSInteger size) {
    *out = CopyFromStrided(Describe(array, strides, size), bytes, to);
  }];
  return status;
}

Status CopyIn(const exec::ConstTensor& from, MLMultiArray* array) {
  Status status;
  Status* out = &status;  // the block runs before this returns
  [array getMutableBytesWithHandler:^(void* bytes, NSInteger size, NSArray* strides) {
    *out = CopyToStrided(from, Describe(array, strides, size), bytes);
  }];
  return status;
}

}  // namespace anemone::coreml
