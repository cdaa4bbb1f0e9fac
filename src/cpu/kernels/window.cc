#include "cpu/kernels/window.h"

#include <cstring>

namespace anemone::cpu {

void Window::Add(int64_t first, int64_t step, int64_t count, int64_t stride) {
  start_ += first * stride;
  const Dim added{count, step * stride};
  // Where the new dimension fills one step of the last one, the two are one.
  Dim* last = rank_ > 0 ? &dims_[rank_ - 1] : nullptr;
  if (last != nullptr && (last->count == 1 || last->stride == added.stride * count)) {
    *last = {last->count * count, added.stride};
    return;
  }
  dims_[rank_++] = added;
}

int64_t Window::count() const {
  int64_t count = 1;
  for (size_t i = 0; i < rank_; ++i) count *= dims_[i].count;
  return count;
}

// Calls visit(offset, length, stride) for each row along the last dimension.
template <typename Visit>
void Window::ForEachRun(const Visit& visit) const {
  if (count() == 0) return;
  if (rank_ == 0) return visit(start_, 1, 1);
  const Dim& last = dims_[rank_ - 1];
  std::array<int64_t, kMaxRank> index{};
  int64_t offset = start_;
  while (true) {
    visit(offset, last.count, last.stride);
    size_t d = rank_ - 1;
    while (d-- > 0) {
      offset += dims_[d].stride;
      if (++index[d] < dims_[d].count) break;
      offset -= dims_[d].stride * dims_[d].count;
      index[d] = 0;
    }
    if (d == SIZE_MAX) return;
  }
}

void Window::CopyOut(const float* tensor, float* to) const {
  ForEachRun([&](int64_t offset, int64_t length, int64_t stride) {
    if (stride == 1) {
      std::memcpy(to, tensor + offset, static_cast<size_t>(length) * sizeof(float));
    } else {
      for (int64_t i = 0; i < length; ++i) to[i] = tensor[offset + i * stride];
    }
    to += length;
  });
}

void Window::CopyIn(const float* from, float* tensor) const {
  ForEachRun([&](int64_t offset, int64_t length, int64_t stride) {
    if (stride == 1) {
      std::memcpy(tensor + offset, from, static_cast<size_t>(length) * sizeof(float));
    } else {
      for (int64_t i = 0; i < length; ++i) tensor[offset + i * stride] = from[i];
    }
    from += length;
  });
}

}  // namespace anemone::cpu
