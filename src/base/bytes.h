// Bytes: an immutable view of memory together with what keeps that memory alive. A weight tensor is
// a Bytes into the memory-mapped weight.bin: copying a Bytes copies two words and a reference
// count, never the data. A file may hold its tensors at any address (ONNX files from PyTorch do):
// such Bytes are hashed, compared and written in place, and copied to aligned memory, once for all
// their copies, the first time typed elements are requested. Thread rules: immutable; copies may be
// used from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace anemone {

class Bytes {
 public:
  Bytes() = default;
  Bytes(const void* data, size_t size, std::shared_ptr<const void> owner)
      : data_(static_cast<const std::byte*>(data)), size_(size), owner_(std::move(owner)) {}

  // Aligned for any element type.
  static Bytes Copy(const void* data, size_t size);
  template <typename T>
  static Bytes FromVector(std::vector<T> values) {
    auto owner = std::make_shared<const std::vector<T>>(std::move(values));
    return Bytes(owner->data(), owner->size() * sizeof(T), owner);
  }

  // Where the bytes lie, at any alignment.
  const std::byte* data() const { return data_; }
  // The same bytes, aligned for any element type if they came from AtAnyAddress(); otherwise
  // in place.
  const std::byte* aligned_data() const { return realigned_ == nullptr ? data_ : Realign(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  // The bytes [offset, offset + size) of this; the caller has checked the range.
  Bytes Slice(size_t offset, size_t size) const {
    Bytes slice(data_ + offset, size, owner_);
    return realigned_ == nullptr ? slice : slice.AtAnyAddress();
  }
  // The same view, for bytes whose address may be misaligned for their elements.
  Bytes AtAnyAddress() const;
  // The bytes as an array of T; the caller knows that they hold T and, unless they are
  // from AtAnyAddress(), are aligned for it.
  template <typename T>
  std::span<const T> As() const {
    const std::byte* data = alignof(T) == 1 ? data_ : aligned_data();
    return {reinterpret_cast<const T*>(data), size_ / sizeof(T)};
  }

 private:
  struct Realigned;
  const std::byte* Realign() const;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<Realigned> realigned_;  // null unless from AtAnyAddress()
};

}  // namespace anemone
