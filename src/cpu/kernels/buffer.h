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
    if (count <= capacity_ || TakeHugePages(count)) return;
    Hold(::operator new(BytesOf(count), std::align_val_t{kAlignment}), count, {});
  }
  // The same; returns false, with nothing changed, when memory runs out.
  bool TryReserve(int64_t count) {
    if (count <= capacity_ || TakeHugePages(count)) return true;
    void* memory = ::operator new(BytesOf(count), std::align_val_t{kAlignment}, std::nothrow);
    if (memory == nullptr) return false;
    Hold(memory, count, {});
    return true;
  }

 private:
  struct Free {
    size_t huge_bytes = 0;  // 0: of the heap
    void operator()(T* p) const {
      if (huge_bytes != 0) return huge_pages::Return(p, huge_bytes);
      ::operator delete(p, std::align_val_t{kAlignment});
    }
  };

  static size_t BytesOf(int64_t count) { return static_cast<size_t>(count) * sizeof(T); }
  // Large blocks lie in huge pages where there is room.
  bool TakeHugePages(int64_t count) {
    const size_t bytes = BytesOf(count);
    if (!kHugePages || bytes < huge_pages::kSmallest) return false;
    void* memory = huge_pages::Take(bytes);
    if (memory == nullptr) return false;
    Hold(memory, count, {bytes});
    return true;
  }
  void Hold(void* memory, int64_t count, Free free) {
    data_ = {static_cast<T*>(memory), free};
    capacity_ = count;
  }

  std::unique_ptr<T, Free> data_;
  int64_t capacity_ = 0;
};

using Floats = Aligned<float>;

}  // namespace anemone::cpu
