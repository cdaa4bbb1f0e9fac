#include "base/bytes.h"

#include <cstddef>
#include <mutex>

#include "base/uninitialized.h"

namespace anemone {

struct Bytes::Realigned {
  std::once_flag once;
  Bytes copy;
};

Bytes Bytes::AtAnyAddress() const {
  Bytes bytes = *this;
  if (reinterpret_cast<uintptr_t>(data_) % alignof(std::max_align_t) != 0) {
    bytes.realigned_ = std::make_shared<Realigned>();
  }
  return bytes;
}

const std::byte* Bytes::Realign() const {
  std::call_once(realigned_->once, [this] { realigned_->copy = Copy(data_, size_); });
  return realigned_->copy.data();
}

Bytes Bytes::Copy(const void* data, size_t size) {
  const Uninitialized<std::byte> copy(size);
  if (size != 0) std::memcpy(copy.data(), data, size);
  return copy.ToBytes();
}

}  // namespace anemone
