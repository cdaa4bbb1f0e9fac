#include "cpu/kernels/index_copy.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"

namespace anemone::cpu {

IndexCopy::IndexCopy(std::vector<std::vector<int64_t>> sources, float fill) : fill_(fill) {
  // The last axes that are copied whole move as blocks.
  int64_t block = 1;
  const auto whole = [&](const std::vector<int64_t>& axis) {
    for (size_t i = 0; i < axis.size(); ++i) {
      if (axis[i] != static_cast<int64_t>(i) * block) return false;
    }
    return true;
  };
  while (sources.size() > 1 && whole(sources.back())) {
    block *= static_cast<int64_t>(sources.back().size());
    sources.pop_back();
  }
  if (sources.empty()) sources.push_back({0});
  for (size_t i = 0; i < sources.back().size(); ++i) {
    const int64_t source = sources.back()[i];
    if (!row_.empty()) {
      Piece& last = row_.back();
      const bool goes_on = source == kFill
                               ? last.source == kFill
                               : last.source != kFill && last.source + last.length == source;
      if (goes_on) {
        last.length += block;
        continue;
      }
    }
    row_.push_back({static_cast<int64_t>(i) * block, source, block});
  }
  row_length_ = static_cast<int64_t>(sources.back().size()) * block;
  sources.pop_back();
  outer_ = std::move(sources);
  for (const auto& axis : outer_) rows_ *= static_cast<int64_t>(axis.size());
}

void IndexCopy::Run(const float* in, float* out, ThreadPool& pool) const {
  if (row_length_ == 0) return;
  const int64_t grain = std::max<int64_t>(1, 16'384 / row_length_);
  pool.ParallelFor(rows_, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      int64_t base = 0;
      bool filled = false;
      for (size_t axis = outer_.size(); axis-- > 0;) {
        const auto size = static_cast<int64_t>(outer_[axis].size());
        const int64_t source = outer_[axis][static_cast<size_t>(rest % size)];
        rest /= size;
        filled = filled || source == kFill;
        base += source;
      }
      float* to = out + row * row_length_;
      if (filled) {
        std::fill_n(to, row_length_, fill_);
        continue;
      }
      for (const Piece& piece : row_) {
        if (piece.source == kFill) {
          std::fill_n(to + piece.target, piece.length, fill_);
        } else {
          std::memcpy(to + piece.target, in + base + piece.source,
                      static_cast<size_t>(piece.length) * sizeof(float));
        }
      }
    }
  });
}

}  // namespace anemone::cpu
