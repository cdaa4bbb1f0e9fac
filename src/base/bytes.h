// Bytes: an immutable view of memory together with what keeps that memory alive. A weight tensor is
// a Bytes into the memory-mapped weight.bin: copying a Bytes copies two words and a reference
// count, never the data. Thread rules: immutable; copies may be used from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
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

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // The bytes [offset, offset + size) of this; the caller has checked the range.
  Bytes Slice(size_t offset, size_t size) const { return Bytes(data_ + offset, size, owner_); }
  // The bytes as an array of T; the caller knows that they hold T and are aligned for it.
  template <typename T>
  std::span<const T> As() const {
    return {reinterpret_cast<const T*>(data_), size_ / sizeof(T)};
  }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<const void> owner_;
};

}  // namespace anemone
