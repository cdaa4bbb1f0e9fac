#include "coreml/strided.h"

#include <cstring>

#include "base/dtype.h"
#include "exec/failure.h"

namespace anemone::coreml {
namespace {

Error Wrong(const StridedArray& array, const std::string& why) {
  return exec::Failure(exec::FailureKind::kSchemaMismatch,
                       fmt::format("an array {} {} with strides {} in {} bytes {}",
                                   DTypeName(array.dtype), ir::ShapeToString(array.shape),
                                   ir::ShapeToString(array.strides), array.size_bytes, why));
}

Status Check(const StridedArray& array, DType dtype, int64_t count) {
  const bool integer = array.dtype == DType::kInt32;
  if (!integer && !IsFloat(array.dtype))
    return Wrong(array, "has an element type that cannot be read");
  if (dtype != (integer ? DType::kInt32 : DType::kFp32)) {
    return Wrong(array, fmt::format("stands for {}", DTypeName(dtype)));
  }
  if (array.shape.size() != array.strides.size()) return Wrong(array, "has too few strides");
  if (ir::ElementCount(array.shape) != count) {
    return Wrong(array, fmt::format("stands for {} elements", count));
  }
  int64_t last = 0;
  for (size_t i = 0; i < array.shape.size(); ++i) {
    int64_t span = 0;
    if (array.strides[i] < 0 ||
        __builtin_mul_overflow(array.shape[i] - 1, array.strides[i], &span) ||
        __builtin_add_overflow(last, span, &last)) {
      return Wrong(array, "reaches outside");
    }
  }
  if (count > 0 && static_cast<uint64_t>(last) >=
                       array.size_bytes / static_cast<size_t>(BitWidth(array.dtype) / 8)) {
    return Wrong(array, "reaches outside");
  }
  return {};
}

// Calls row(offset in the array, offset in the tensor, length, stride) for each innermost row.
template <typename Row>
void ForEachRow(const StridedArray& array, int64_t count, Row row) {
  if (count == 0) return;
  if (array.shape.empty()) return row(0, 0, 1, 1);
  const size_t rank = array.shape.size();
  const int64_t length = array.shape[rank - 1];
  ir::Shape index(rank, 0);
  for (int64_t done = 0; done < count; done += length) {
    int64_t offset = 0;
    for (size_t i = 0; i + 1 < rank; ++i) offset += index[i] * array.strides[i];
    row(offset, done, length, array.strides[rank - 1]);
    for (size_t i = rank - 1; i > 0; --i) {
      if (++index[i - 1] < array.shape[i - 1]) break;
      index[i - 1] = 0;
    }
  }
}

template <typename From, typename To>
void CopyRow(const From* from, int64_t from_stride, To* to, int64_t to_stride, int64_t length) {
  for (int64_t i = 0; i < length; ++i) to[i * to_stride] = static_cast<To>(from[i * from_stride]);
}

}  // namespace

Status CopyFromStrided(const StridedArray& from, const void* bytes, const exec::MutableTensor& to) {
  const int64_t count = to.count();
  ANEMONE_TRY(Check(from, to.dtype, count));
  if (bytes == to.data)
    return {};  // a backing that Core ML wrapped again: the data is already there
  ForEachRow(from, count, [&](int64_t source, int64_t target, int64_t length, int64_t stride) {
    const auto n = static_cast<size_t>(length);
    switch (from.dtype) {
      case DType::kInt32:
        CopyRow(static_cast<const int32_t*>(bytes) + source, stride, to.As<int32_t>() + target, 1,
                length);
        break;
      case DType::kFp16:
        if (stride == 1) {
          HalfToFloat({static_cast<const Half*>(bytes) + source, n}, {to.As<float>() + target, n});
        } else {
          CopyRow(static_cast<const Half*>(bytes) + source, stride, to.As<float>() + target, 1,
                  length);
        }
        break;
      case DType::kFp64:
        CopyRow(static_cast<const double*>(bytes) + source, stride, to.As<float>() + target, 1,
                length);
        break;
      default:
        if (stride == 1) {
          std::memcpy(to.As<float>() + target, static_cast<const float*>(bytes) + source,
                      n * sizeof(float));
        } else {
          CopyRow(static_cast<const float*>(bytes) + source, stride, to.As<float>() + target, 1,
                  length);
        }
    }
  });
  return {};
}

Status CopyToStrided(const exec::ConstTensor& from, const StridedArray& to, void* bytes) {
  const int64_t count = from.count();
  ANEMONE_TRY(Check(to, from.dtype, count));
  if (to.dtype == DType::kFp64) return Wrong(to, "cannot be written");
  ForEachRow(to, count, [&](int64_t target, int64_t source, int64_t length, int64_t stride) {
    switch (to.dtype) {
      case DType::kInt32:
        CopyRow(from.As<int32_t>() + source, 1, static_cast<int32_t*>(bytes) + target, stride,
                length);
        break;
      case DType::kFp16:
        CopyRow(from.As<float>() + source, 1, static_cast<Half*>(bytes) + target, stride, length);
        break;
      default:
        CopyRow(from.As<float>() + source, 1, static_cast<float*>(bytes) + target, stride, length);
    }
  });
  return {};
}

}  // namespace anemone::coreml
