#include "cpu/kernels/rows.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "base/simd_targets.h"
#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/rows.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Folds map(x) over a row with four accumulators, then over their lanes in order. `start` is the
// neutral value.
template <class Map, class Fold>
HWY_INLINE float FoldRow(const float* x, size_t n, float start, const Map& map, const Fold& fold) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V a0 = hn::Set(d, start), a1 = a0, a2 = a0, a3 = a0;
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a0 = fold(a0, map(hn::LoadU(d, x + i)));
    a1 = fold(a1, map(hn::LoadU(d, x + i + lanes)));
    a2 = fold(a2, map(hn::LoadU(d, x + i + 2 * lanes)));
    a3 = fold(a3, map(hn::LoadU(d, x + i + 3 * lanes)));
  }
  for (; i + lanes <= n; i += lanes) a0 = fold(a0, map(hn::LoadU(d, x + i)));
  if (i < n) {
    const V last =
        hn::IfThenElse(hn::FirstN(d, n - i), map(LoadFirst(d, x + i, n - i)), hn::Set(d, start));
    a1 = fold(a1, last);
  }
  HWY_ALIGN float each[hn::MaxLanes(D())];
  hn::Store(fold(fold(a0, a1), fold(a2, a3)), d, each);
  V total = hn::Set(d, each[0]);
  for (size_t lane = 1; lane < lanes; ++lane) total = fold(total, hn::Set(d, each[lane]));
  return hn::GetLane(total);
}

template <class F>
HWY_INLINE void MapRow(const float* x, float* y, size_t n, const F& f) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(hn::LoadU(d, x + i)), d, y + i);
  if (i < n) StoreFirst(f(LoadFirst(d, x + i, n - i)), d, y + i, n - i);
}

HWY_INLINE V SumOf(V a, V b) { return hn::Add(a, b); }
HWY_INLINE V Same(V v) { return v; }
HWY_INLINE V SquareOf(V v) { return hn::Mul(v, v); }

#define ANEMONE_LAMBDA(function, ...) [&](__VA_ARGS__) HWY_ATTR { return function; }

float Sum(const float* x, size_t n) {
  return FoldRow(x, n, 0.0f, ANEMONE_LAMBDA(Same(v), V v), ANEMONE_LAMBDA(SumOf(a, b), V a, V b));
}
float Max(const float* x, size_t n) {
  return FoldRow(x, n, -std::numeric_limits<float>::infinity(), ANEMONE_LAMBDA(Same(v), V v),
                 ANEMONE_LAMBDA(MaxOrNan(a, b), V a, V b));
}
float Min(const float* x, size_t n) {
  return FoldRow(x, n, std::numeric_limits<float>::infinity(), ANEMONE_LAMBDA(Same(v), V v),
                 ANEMONE_LAMBDA(MinOrNan(a, b), V a, V b));
}
float SumSquare(const float* x, size_t n) {
  return FoldRow(x, n, 0.0f, ANEMONE_LAMBDA(SquareOf(v), V v),
                 ANEMONE_LAMBDA(SumOf(a, b), V a, V b));
}

void SoftmaxRow(const float* in, float* out, size_t n) {
  const D d;
  const V max = hn::Set(d, Max(in, n));
  MapRow(in, out, n, ANEMONE_LAMBDA(VectorExp(d, hn::Sub(v, max)), V v));
  const V sum = hn::Set(d, Sum(out, n));
  MapRow(out, out, n, ANEMONE_LAMBDA(hn::Div(v, sum), V v));
}

void LayerNormRow(const float* in, float* out, size_t n, const float* gamma, const float* beta,
                  float epsilon) {
  const D d;
  const auto count = static_cast<float>(n);
  const float mean = Sum(in, n) / count;
  const V shift = hn::Set(d, mean);
  MapRow(in, out, n, ANEMONE_LAMBDA(hn::Sub(v, shift), V v));
  // Far from zero the mean itself is rounded; its error can be measured now that the values
  // are small.
  const V rest = hn::Set(d, Sum(out, n) / count);
  MapRow(out, out, n, ANEMONE_LAMBDA(hn::Sub(v, rest), V v));
  const float deviation = std::sqrt(SumSquare(out, n) / count + epsilon);
  // A constant row is all zeros by now, so without epsilon the scale must not be infinite.
  const V scale = hn::Set(d, deviation == 0.0f ? 0.0f : 1.0f / deviation);
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t left = HWY_MIN(lanes, n - i);
    V v = hn::Mul(LoadFirst(d, out + i, left), scale);
    if (gamma != nullptr) v = hn::Mul(v, LoadFirst(d, gamma + i, left));
    if (beta != nullptr) v = hn::Add(v, LoadFirst(d, beta + i, left));
    StoreFirst(v, d, out + i, left);
  }
}

float ReduceRow(ReduceKind kind, const float* x, size_t n) {
  switch (kind) {
    case ReduceKind::kSum:
      return Sum(x, n);
    case ReduceKind::kMean:
      return Sum(x, n) / static_cast<float>(n);
    case ReduceKind::kMax:
      return Max(x, n);
    case ReduceKind::kMin:
      return Min(x, n);
    case ReduceKind::kSumSquare:
      return SumSquare(x, n);
  }
  return 0.0f;
}

#undef ANEMONE_LAMBDA

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {
namespace {

HWY_EXPORT(SoftmaxRow);
HWY_EXPORT(LayerNormRow);
HWY_EXPORT(ReduceRow);

template <typename Body>
void ForRows(int64_t rows, int64_t columns, ThreadPool& pool, const Body& body) {
  const int64_t grain = std::max<int64_t>(1, 16'384 / std::max<int64_t>(columns, 1));
  pool.ParallelFor(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

}  // namespace

void Softmax(const float* in, float* out, int64_t rows, int64_t columns, ThreadPool& pool) {
  const auto row_of = HWY_DYNAMIC_DISPATCH(SoftmaxRow);
  ForRows(rows, columns, pool, [&](int64_t row) {
    row_of(in + row * columns, out + row * columns, static_cast<size_t>(columns));
  });
}

void LayerNorm(const float* in, float* out, int64_t rows, int64_t columns, const float* gamma,
               const float* beta, float epsilon, ThreadPool& pool) {
  const auto row_of = HWY_DYNAMIC_DISPATCH(LayerNormRow);
  ForRows(rows, columns, pool, [&](int64_t row) {
    row_of(in + row * columns, out + row * columns, static_cast<size_t>(columns), gamma, beta,
           epsilon);
  });
}

void ReduceRows(ReduceKind kind, const float* in, float* out, int64_t rows, int64_t columns,
                ThreadPool& pool) {
  const auto row_of = HWY_DYNAMIC_DISPATCH(ReduceRow);
  ForRows(rows, columns, pool, [&](int64_t row) {
    out[row] = row_of(kind, in + row * columns, static_cast<size_t>(columns));
  });
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
