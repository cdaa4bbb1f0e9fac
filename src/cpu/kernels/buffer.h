// Floats: uninitialized floats aligned for any vector. Thread rules: as std::vector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace anemone::cpu {

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
    if (count <= capacity_) return;
    const auto bytes = static_cast<size_t>(count) * sizeof(T);
    data_.reset(static_cast<T*>(::operator new(bytes, std::align_val_t{kAlignment})));
    capacity_ = count;
  }
  // The same; returns false, with nothing changed, when memory runs out.
  bool TryReserve(int64_t count) {
    if (count <= capacity_) return true;
    const auto bytes = static_cast<size_t>(count) * sizeof(T);
    void* memory = ::operator new(bytes, std::align_val_t{kAlignment}, std::nothrow);
    if (memory == nullptr) return false;
    data_.reset(static_cast<T*>(memory));
    capacity_ = count;
    return true;
  }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T, Free> data_;
  int64_t capacity_ = 0;
};

using Floats = Aligned<float>;

}  // namespace anemone::cpu
