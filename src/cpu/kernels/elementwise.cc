#include "cpu/kernels/elementwise.h"

#include <algorithm>

#include "base/simd_targets.h"
#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/elementwise.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;

template <typename Element>
void Narrow(const float* from, Element* to, int64_t n, float zero) {
  const D d;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<Element, D> d_out;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto whole = hn::Sub(hn::LoadU(d, from + i), hn::Set(d, zero));
    hn::StoreU(hn::DemoteTo(d_out, hn::ConvertTo(di, whole)), d_out, to + i);
  }
  for (; i < n; ++i) to[i] = static_cast<Element>(from[i] - zero);
}

template <typename Element>
void Widen(const Element* from, float* to, int64_t n, float zero) {
  const D d;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<Element, D> d_in;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto whole = hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d_in, from + i)));
    hn::StoreU(hn::Add(whole, hn::Set(d, zero)), d, to + i);
  }
  for (; i < n; ++i) to[i] = static_cast<float>(from[i]) + zero;
}

void Store(const float* from, const Destination& to, int64_t at, int64_t n) {
  if (to.bytes != nullptr) return Narrow(from, to.bytes + at, n, to.zero);
  Narrow(from, to.narrow + at, n, to.zero);
}

void Load(const Source& from, int64_t at, float* to, int64_t n) {
  if (from.bytes != nullptr) return Widen(from.bytes + at, to, n, from.zero);
  Widen(from.narrow + at, to, n, from.zero);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {
namespace {

HWY_EXPORT(Store);
HWY_EXPORT(Load);

// Floats that pass through all steps while in the first-level cache.
constexpr int64_t kBlock = 2048;

// Part of a rows x columns tensor: whole rows, or a part of one.
struct Part {
  int64_t row, rows, column, columns;
};

// A part of at most kBlock values.
void RunPart(std::span<const Step> steps, const Source& in, const Destination& out,
             const Part& part, int64_t stride) {
  const int64_t at = part.row * stride + part.column;
  const int64_t n = part.rows * part.columns;
  alignas(64) float block[kBlock];
  float* x = out.floats == nullptr ? block : out.floats + at;
  if (in.floats == nullptr) {
    HWY_DYNAMIC_DISPATCH(Load)(in, at, x, n);
  } else if (in.floats + at != x) {
    std::copy_n(in.floats + at, n, x);
  }
  ApplyStepsToBlock(steps, x, part.columns, part.row, part.rows, part.column, part.columns);
  if (out.floats == nullptr) StoreIntegers(x, out, at, n);
}

}  // namespace

void StoreIntegers(const float* from, const Destination& to, int64_t at, int64_t n) {
  HWY_DYNAMIC_DISPATCH(Store)(from, to, at, n);
}

void Elementwise(std::span<const Step> steps, const Source& in, const Destination& out,
                 int64_t rows, int64_t columns, ThreadPool& pool) {
  if (rows <= 0 || columns <= 0) return;
  if (IsFlat(steps, columns)) {
    columns *= rows;
    rows = 1;
  }
  if (columns <= kBlock) {
    const int64_t each = kBlock / columns;  // rows of a part
    const int64_t parts = (rows + each - 1) / each;
    pool.ParallelFor(parts, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i * each;
        RunPart(steps, in, out, {row, std::min(each, rows - row), 0, columns}, columns);
      }
    });
    return;
  }
  const int64_t parts = (columns + kBlock - 1) / kBlock;  // of a row
  pool.ParallelFor(rows * parts, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = i % parts * kBlock;
      RunPart(steps, in, out, {i / parts, 1, column, std::min(kBlock, columns - column)}, columns);
    }
  });
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
