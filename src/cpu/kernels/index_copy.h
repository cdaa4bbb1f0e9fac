// Copies selected elements of a tensor: slices, constant padding. Each axis of the result has a
// list of source positions; an element is the source at the sum of its axes' positions, or the fill
// value if any of them is kFill. Thread rules: immutable once built.
#pragma once

#include <cstdint>
#include <vector>

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

class IndexCopy {
 public:
  static constexpr int64_t kFill = -1;

  // sources[axis][i]: offset in elements that index i along `axis` adds, or kFill.
  IndexCopy(std::vector<std::vector<int64_t>> sources, float fill);

  // Elements are 4 bytes wide; only their bits matter. `in` and `out` must not overlap.
  void Run(const float* in, float* out, ThreadPool& pool) const;

 private:
  // `length` elements from `source` (or the fill value) to `target`, within a row.
  struct Piece {
    int64_t target, source, length;
  };

  std::vector<std::vector<int64_t>> outer_;
  std::vector<Piece> row_;
  int64_t row_length_ = 0;
  int64_t rows_ = 1;
  float fill_;
};

}  // namespace anemone::cpu
