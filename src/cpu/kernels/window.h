// Window: the elements of a row-major tensor of 4-byte elements that a slice selects, as runs of elements
// that lie side by side. Copies a slice out of a tensor, and into one. Thread rules: immutable; a plain
// value that owns nothing, so that making one in a running call takes nothing from the heap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace anemone::cpu {

class Window {
 public:
  static constexpr size_t kMaxRank = 8;

  Window() = default;
  // Adds a dimension, first to last: `count` indices from `first` on by `step`, in a dimension whose
  // neighbors are `stride` elements apart. At most kMaxRank of them.
  void Add(int64_t first, int64_t step, int64_t count, int64_t stride);
  // Elements selected.
  int64_t count() const;

  // `to` takes the elements one after the other; `tensor` is the whole tensor. No overlap.
  void CopyOut(const float* tensor, float* to) const;
  // The way back.
  void CopyIn(const float* from, float* tensor) const;

 private:
  struct Dim {
    int64_t count = 0;
    int64_t stride = 0;
  };
  template <typename Visit>
  void ForEachRun(const Visit& visit) const;

  std::array<Dim, kMaxRank> dims_;
  size_t rank_ = 0;
  int64_t start_ = 0;
};

}  // namespace anemone::cpu
