#include "exec/tensor.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/large_blocks.h"

namespace anemone::exec {
namespace {

constexpr size_t kAlignment = 64;

// The address sanitizer watches the heap, and would not see a use after free of a block that is given again.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kLargeBlocks = false;
#elif defined(__has_feature)
constexpr bool kLargeBlocks = !__has_feature(address_sanitizer);
#else
constexpr bool kLargeBlocks = true;
#endif

// Memory for `size` bytes of elements; null when there is none.
std::shared_ptr<void> AllocateElements(size_t size) {
  if (kLargeBlocks && size >= large_blocks::kSmallest) {
    void* block = large_blocks::Take(size);
    if (block == nullptr) return nullptr;
    return {block, [size](void* taken) { large_blocks::Return(taken, size); }};
  }
  const size_t rounded = (size + kAlignment - 1) / kAlignment * kAlignment;
  if (rounded < size) return nullptr;
  // At least one line, so that an empty tensor has a valid address too.
  void* data = std::aligned_alloc(kAlignment, std::max(rounded, kAlignment));
  if (data == nullptr) return nullptr;
  return {data, std::free};
}

}  // namespace

DType StorageDType(DType dtype) {
  switch (dtype) {
    case DType::kFp16:
    case DType::kBf16:
    case DType::kFp64:
      return DType::kFp32;
    case DType::kInt4:
      return DType::kInt8;
    case DType::kUInt1:
    case DType::kUInt2:
    case DType::kUInt3:
    case DType::kUInt4:
    case DType::kUInt6:
      return DType::kUInt8;
    case DType::kInt64:
    case DType::kUInt32:
    case DType::kUInt64:
      return DType::kInt32;
    default:
      return dtype;
  }
}

Result<Tensor> Tensor::Allocate(DType dtype, Shape shape) {
  const auto count = ir::ElementCount(shape);
  const auto size = count ? ByteSize(dtype, *count) : std::nullopt;
  if (!size || dtype == DType::kString || dtype == DType::kInvalid) {
    return InvalidInput("cannot allocate a tensor of {} {}", DTypeName(dtype),
                        ir::ShapeToString(shape));
  }
  Tensor tensor;
  tensor.buffer_ = AllocateElements(*size);
  if (tensor.buffer_ == nullptr) {
    return Error(ErrorCode::kInvalidInput,
                 fmt::format("not enough memory for a tensor of {} {} ({} bytes)", DTypeName(dtype),
                             ir::ShapeToString(shape), *size));
  }
  tensor.view_ = {dtype, std::move(shape), tensor.buffer_.get()};
  return tensor;
}

size_t Tensor::size_bytes() const { return ByteSize(dtype(), count()).value_or(0); }

bool Tensor::is_shared() const {
  if (buffer_.use_count() > 1) return true;
  // What another thread read through its tensor, it read before it gave that tensor up.
  std::atomic_thread_fence(std::memory_order_acquire);
  return false;
}

Result<Tensor> Tensor::Copy(const ConstTensor& source) {
  ANEMONE_ASSIGN(Tensor tensor, Allocate(source.dtype, source.shape));
  if (tensor.size_bytes() != 0) std::memcpy(tensor.view_.data, source.data, tensor.size_bytes());
  return tensor;
}

Result<Tensor> Tensor::FromLiteral(const ir::Literal& literal) {
  const DType from = literal.dtype();
  const DType to = StorageDType(from);
  if (!literal.type().is_tensor() || from == DType::kString) {
    return Unsupported("a constant of type {} is not a numeric tensor", literal.type().ToString());
  }
  ANEMONE_ASSIGN(Tensor tensor, Allocate(to, literal.shape()));
  const auto count = static_cast<size_t>(tensor.count());
  if (from == to) {
    if (count != 0) std::memcpy(tensor.view_.data, literal.bytes().data(), tensor.size_bytes());
  } else if (from == DType::kFp16) {
    ::anemone::HalfToFloat(literal.As<Half>(), {tensor.As<float>(), count});
  } else if (to == DType::kFp32) {
    const auto values = *literal.AsFloats();
    std::memcpy(tensor.view_.data, values.data(), tensor.size_bytes());
  } else {
    for (size_t i = 0; i < count; ++i) {
      const int64_t value = ir::IntElement(literal.bytes(), from, static_cast<int64_t>(i));
      if (to == DType::kInt32) {
        if (!std::in_range<int32_t>(value)) {
          return InvalidInput("the {} holds {} at {}, which int32 cannot hold", DTypeName(from),
                              value, i);
        }
        tensor.As<int32_t>()[i] = static_cast<int32_t>(value);
      } else {
        tensor.As<uint8_t>()[i] = static_cast<uint8_t>(value);
      }
    }
  }
  return tensor;
}

namespace {

bool FitsIn(int64_t value, DType dtype) {
  if (dtype == DType::kBool) return value == 0 || value == 1;
  const int64_t values = int64_t{1} << BitWidth(dtype);
  return IsSignedInt(dtype) ? value >= -values / 2 && value < values / 2
                            : value >= 0 && value < values;
}

}  // namespace

Result<Tensor> ConvertExactly(const ir::Literal& from, DType wanted) {
  const auto values = from.AsDoubles();
  if (!values) return Usage("{} cannot be read as {}", DTypeName(from.dtype()), DTypeName(wanted));
  if (wanted == DType::kFp32) {
    const std::vector<float> floats(values->begin(), values->end());
    return Tensor::Copy({wanted, from.shape(), floats.data()});
  }
  if (!IsInt(wanted) && wanted != DType::kBool)
    return Usage("{} cannot be read as {}", DTypeName(from.dtype()), DTypeName(wanted));
  std::vector<int64_t> integers(values->size());
  for (size_t i = 0; i < integers.size(); ++i) {
    const double value = (*values)[i];
    // The run time has integers of 32 bits at most.
    const bool near = std::fabs(value) <= 4294967296.0;
    integers[i] = near ? static_cast<int64_t>(value) : 0;
    if (!near || static_cast<double>(integers[i]) != value || !FitsIn(integers[i], wanted)) {
      return Usage("{} at {} does not fit an input of {}", value, i, DTypeName(wanted));
    }
  }
  const Bytes packed = ir::PackInts(integers, wanted);
  return Tensor::Copy({wanted, from.shape(), packed.data()});
}

Result<ir::Literal> Tensor::ToLiteral(DType to) const {
  const ir::Type type = ir::Type::Tensor(to, shape());
  if (to == dtype()) return ir::Literal::FromBytes(type, Bytes(view_.data, size_bytes(), buffer_));
  const auto n = static_cast<size_t>(count());
  if (dtype() == DType::kFp32 && to == DType::kFp16) {
    std::vector<Half> halves(n);
    ::anemone::FloatToHalf({As<float>(), n}, halves);
    return ir::Literal::FromBytes(type, Bytes::FromVector(std::move(halves)));
  }
  if (StorageDType(to) != dtype()) {
    return Internal("a {} tensor cannot become a constant of {}", DTypeName(dtype()),
                    DTypeName(to));
  }
  if (IsInt(to)) {
    std::vector<int64_t> values(n);
    const Bytes bytes(view_.data, size_bytes(), buffer_);
    for (size_t i = 0; i < n; ++i)
      values[i] = ir::IntElement(bytes, dtype(), static_cast<int64_t>(i));
    return ir::Literal::FromBytes(type, ir::PackInts(values, to));
  }
  if (to == DType::kFp64) {
    std::vector<double> values(As<float>(), As<float>() + n);
    return ir::Literal::FromBytes(type, Bytes::FromVector(std::move(values)));
  }
  std::vector<uint16_t> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = FloatToBf16(As<float>()[i]);
  return ir::Literal::FromBytes(type, Bytes::FromVector(std::move(values)));
}

}  // namespace anemone::exec
