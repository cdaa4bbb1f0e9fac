// Uninitialized<T>: an array that is written once and not first filled with zeros, because weights
// are large. From 2 MiB on it is placed on huge pages where the system has them, which saves most
// of the page faults. Ownership: shared with the Bytes made from it. Thread rules: plain memory.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

#include "base/bytes.h"

namespace anemone {

// At least `size` bytes, aligned for any element type. Throws std::bad_alloc when memory runs out.
std::shared_ptr<void> AllocateUninitialized(size_t size);

template <typename T>
class Uninitialized {
 public:
  static_assert(std::is_trivially_destructible_v<T>);
  explicit Uninitialized(size_t count)
      : memory_(AllocateUninitialized(count * sizeof(T))), count_(count) {}

  T* data() const { return static_cast<T*>(memory_.get()); }
  size_t size() const { return count_; }
  std::span<T> span() const { return {data(), count_}; }
  // The elements, once written; shares the memory.
  Bytes ToBytes() const { return Bytes(data(), count_ * sizeof(T), memory_); }

 private:
  std::shared_ptr<void> memory_;
  size_t count_;
};

}  // namespace anemone
