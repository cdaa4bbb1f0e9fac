// Aligned: uninitialized numbers aligned for any vector. Thread rules: as std::vector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "base/huge_pages.h"

namespace anemone::cpu {

// Blocks of huge pages lie one after the other, where a sanitizer sees no writing beyond one.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kHugePages = false;
#elif defined(__has_feature)
inline constexpr bool kHugePages = !__has_feature(address_sanitizer);
#else
inline constexpr bool kHugePages = true;
#endif

// Memory for kernels: of the heap, or, for a large block, of huge pages. Null when memory runs out.
inline void* TakeKernelMemory(size_t bytes, size_t alignment) {
  if (kHugePages && bytes >= huge_pages::kSmallest) return huge_pages::Take(bytes);
  return ::operator new(bytes, std::align_val_t{alignment}, std::nothrow);
}
inline void ReturnKernelMemory(void* memory, size_t bytes, size_t alignment) {
  if (kHugePages && bytes >= huge_pages::kSmallest) return huge_pages::Return(memory, bytes);
  ::operator delete(memory, std::align_val_t{alignment});
}

template <typename T>
class Aligned {
 public:
  static constexpr size_t kAlignment = 64;

  Aligned() = default;
  explicit Aligned(int64_t count) { Reserve(count); }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  int64_t capacity() const { return capacity_; }
  // Makes room for `count`; the contents are lost when it grows.
  void Reserve(int64_t count) {
    if (!TryReserve(count)) throw std::bad_alloc();
  }
  // The same; returns false, with nothing changed, when memory runs out.
  bool TryReserve(int64_t count) {
    if (count <= capacity_) return true;
    const auto bytes = static_cast<size_t>(count) * sizeof(T);
    void* memory = TakeKernelMemory(bytes, kAlignment);
    if (memory == nullptr) return false;
    data_ = {static_cast<T*>(memory), Free{bytes}};
    capacity_ = count;
    return true;
  }

 private:
  struct Free {
    size_t bytes = 0;
    void operator()(T* p) const { ReturnKernelMemory(p, bytes, kAlignment); }
  };
  std::unique_ptr<T, Free> data_;
  int64_t capacity_ = 0;
};

using Floats = Aligned<float>;

}  // namespace anemone::cpu
