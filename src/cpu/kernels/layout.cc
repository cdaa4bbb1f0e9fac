#include "cpu/kernels/layout.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "base/simd_targets.h"
#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/layout.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Transposes the part [row, row_end) x [column, column_end) of a matrix into a columns x rows one.
void TransposePart(const float* in, float* out, int64_t rows, int64_t columns, int64_t row,
                   int64_t row_end, int64_t column, int64_t column_end) {
#if HWY_TARGET != HWY_SCALAR
  if (rows == 3) {  // the channels of a picture
    const hn::ScalableTag<float> ds;
    const auto lanes = static_cast<int64_t>(hn::Lanes(ds));
    for (; column + lanes <= column_end; column += lanes) {
      const float* from = in + column;
      hn::StoreInterleaved3(hn::LoadU(ds, from), hn::LoadU(ds, from + columns),
                            hn::LoadU(ds, from + 2 * columns), ds, out + column * 3);
    }
  }
  const hn::FixedTag<float, 4> d;
  const hn::RepartitionToWide<decltype(d)> dw;
  for (; row + 4 <= row_end; row += 4) {
    const float* from = in + row * columns;
    float* to = out + row;
    int64_t c = column;
    for (; c + 4 <= column_end; c += 4) {
      const auto r0 = hn::LoadU(d, from + c);
      const auto r1 = hn::LoadU(d, from + columns + c);
      const auto r2 = hn::LoadU(d, from + 2 * columns + c);
      const auto r3 = hn::LoadU(d, from + 3 * columns + c);
      const auto a = hn::BitCast(dw, hn::InterleaveLower(d, r0, r1));
      const auto b = hn::BitCast(dw, hn::InterleaveLower(d, r2, r3));
      const auto e = hn::BitCast(dw, hn::InterleaveUpper(d, r0, r1));
      const auto f = hn::BitCast(dw, hn::InterleaveUpper(d, r2, r3));
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(dw, a, b)), d, to + c * rows);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(dw, a, b)), d, to + (c + 1) * rows);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(dw, e, f)), d, to + (c + 2) * rows);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(dw, e, f)), d, to + (c + 3) * rows);
    }
    for (; c < column_end; ++c) {
      for (int64_t r = 0; r < 4; ++r) to[c * rows + r] = from[r * columns + c];
    }
  }
#endif
  for (; row < row_end; ++row) {
    for (int64_t c = column; c < column_end; ++c) out[c * rows + row] = in[row * columns + c];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {
namespace {

HWY_EXPORT(TransposePart);

constexpr int64_t kStrip = 16;  // rows in a strip: a cache line of the result

}  // namespace

void TransposeMatrices(const float* in, float* out, int64_t batch, int64_t rows, int64_t columns,
                       ThreadPool& pool) {
  TransposeMatrices(in, out, batch, rows, columns, {}, pool);
}

void TransposeMatrices(const float* in, float* out, int64_t batch, int64_t rows, int64_t columns,
                       std::span<const Step> steps, ThreadPool& pool) {
  if (rows == 1 || columns == 1) {
    pool.ParallelFor(batch * rows * columns, 64 * 1024, [&](int64_t begin, int64_t end) {
      std::copy(in + begin, in + end, out + begin);
      ApplySteps(steps, out + begin, end - begin, 0, 1, 0, end - begin);
    });
    return;
  }
  const auto part = HWY_DYNAMIC_DISPATCH(TransposePart);
  const int64_t strips = (rows + kStrip - 1) / kStrip;
  // Few rows would be few tasks: they are cut across too.
  const int64_t width = strips == 1 ? std::min(columns, 16'384 / rows) : columns;
  const int64_t across = (columns + width - 1) / width;
  const int64_t grain = std::max<int64_t>(1, 16'384 / std::max<int64_t>(1, kStrip * width));
  pool.ParallelFor(batch * strips * across, grain, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t matrix = item / (strips * across) * rows * columns;
      const int64_t row = item / across % strips * kStrip;
      const int64_t row_end = std::min(rows, row + kStrip);
      const int64_t column = item % across * width;
      const int64_t column_end = std::min(columns, column + width);
      part(in + matrix, out + matrix, rows, columns, row, row_end, column, column_end);
      if (steps.empty()) continue;
      ApplyStepsToBlock(steps, out + matrix + column * rows + row, rows, 0, column_end - column, 0,
                        row_end - row);
    }
  });
}

void Permute(const float* in, float* out, std::span<const int64_t> shape,
             std::span<const int64_t> permutation, ThreadPool& pool) {
  // Axes of size 1 are dropped, and axes that stay adjacent are merged: most permutations become
  // one matrix transpose.
  constexpr size_t kMaxAxes = 8;
  std::array<int64_t, kMaxAxes> size{};    // of out's axes
  std::array<int64_t, kMaxAxes> stride{};  // of the same axes in `in`
  std::array<int64_t, kMaxAxes> in_stride{};
  int64_t count = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    in_stride[i] = count;
    count *= shape[i];
  }
  if (count == 0) return;
  size_t axes = 0;
  for (const int64_t axis : permutation) {
    const int64_t n = shape[static_cast<size_t>(axis)];
    const int64_t step = in_stride[static_cast<size_t>(axis)];
    if (n == 1) continue;
    if (axes > 0 && stride[axes - 1] == n * step) {
      size[axes - 1] *= n;
      stride[axes - 1] = step;
    } else {
      size[axes] = n;
      stride[axes++] = step;
    }
  }
  if (axes <= 1) return TransposeMatrices(in, out, 1, 1, count, pool);
  if (axes == 2) return TransposeMatrices(in, out, 1, size[1], size[0], pool);
  if (axes == 3 && stride[0] == size[1] * size[2] && stride[1] == 1) {
    return TransposeMatrices(in, out, size[0], size[2], size[1], pool);
  }
  const int64_t inner = size[axes - 1];
  const int64_t inner_stride = stride[axes - 1];
  const int64_t grain = std::max<int64_t>(1, 8192 / inner);
  pool.ParallelFor(count / inner, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      const float* from = in;
      for (size_t axis = axes - 1; axis-- > 0;) {
        from += rest % size[axis] * stride[axis];
        rest /= size[axis];
      }
      float* to = out + row * inner;
      if (inner_stride == 1) {
        std::copy_n(from, inner, to);
      } else {
        for (int64_t i = 0; i < inner; ++i) to[i] = from[i * inner_stride];
      }
    }
  });
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
