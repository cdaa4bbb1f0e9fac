#include "cpu/kernels/steps.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/steps.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

template <class F>
HWY_INLINE void Unary(float* x, size_t n, const F& f) {
  const D d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    hn::StoreU(f(d, hn::LoadU(d, x + i)), d, x + i);
  }
  if (i < n) StoreFirst(f(d, LoadFirst(d, x + i, n - i)), d, x + i, n - i);
}

// `y` holds n values, or one when `y_step` is 0.
template <class F>
HWY_INLINE void Binary(float* x, const float* y, size_t y_step, size_t n, const F& f) {
  const D d;
  size_t i = 0;
  if (y_step == 0) {
    const V value = hn::Set(d, *y);
    for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
      hn::StoreU(f(d, hn::LoadU(d, x + i), value), d, x + i);
    }
    if (i < n) StoreFirst(f(d, LoadFirst(d, x + i, n - i), value), d, x + i, n - i);
    return;
  }
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    hn::StoreU(f(d, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, x + i);
  }
  if (i < n) {
    StoreFirst(f(d, LoadFirst(d, x + i, n - i), LoadFirst(d, y + i, n - i)), d, x + i, n - i);
  }
}

// What n bytes stand for.
void WidenBytes(const uint8_t* from, int32_t zero, float scale, float* to, size_t n) {
  const D d;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint8_t, D> d_in;
  const auto zeros = hn::Set(di, zero);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    const auto whole = hn::Sub(hn::PromoteTo(di, hn::LoadU(d_in, from + i)), zeros);
    hn::StoreU(hn::Mul(hn::ConvertTo(d, whole), hn::Set(d, scale)), d, to + i);
  }
  for (; i < n; ++i) to[i] = static_cast<float>(from[i] - zero) * scale;
}

#define ANEMONE_UNARY(kind, expression)         \
  case StepKind::kind:                          \
    return Unary(x, n, [=](D d, V v) HWY_ATTR { \
      (void)d;                                  \
      return expression;                        \
    })
#define ANEMONE_BINARY(kind, expression)                         \
  case StepKind::kind:                                           \
    return Binary(x, y, y_step, n, [=](D d, V v, V u) HWY_ATTR { \
      (void)d;                                                   \
      return expression;                                         \
    })

// n values at x, whose operand's values start at y.
void ApplyStep(const Step& step, float* x, const float* y, size_t y_step, size_t n) {
  const float alpha = step.alpha;
  const float beta = step.beta;
  switch (step.kind) {
    ANEMONE_BINARY(kAdd, hn::Add(v, u));
    ANEMONE_BINARY(kSub, hn::Sub(v, u));
    ANEMONE_BINARY(kReverseSub, hn::Sub(u, v));
    ANEMONE_BINARY(kMul, hn::Mul(v, u));
    ANEMONE_BINARY(kDiv, hn::Div(v, u));
    ANEMONE_BINARY(kReverseDiv, hn::Div(u, v));
    ANEMONE_BINARY(kMax, MaxOrNan(u, v));
    ANEMONE_BINARY(kMin, MinOrNan(u, v));
    ANEMONE_BINARY(kPRelu, hn::IfThenElse(hn::Ge(v, hn::Zero(d)), v, hn::Mul(u, v)));
    ANEMONE_UNARY(kRelu, Clamp(d, v, 0.0f, std::numeric_limits<float>::infinity()));
    ANEMONE_UNARY(kClamp, Clamp(d, v, alpha, beta));
    ANEMONE_UNARY(kLeakyRelu,
                  hn::IfThenElse(hn::Ge(v, hn::Zero(d)), v, hn::Mul(hn::Set(d, alpha), v)));
    ANEMONE_UNARY(kElu, hn::IfThenElse(hn::Ge(v, hn::Zero(d)), v,
                                       hn::Mul(hn::Set(d, alpha), hn::Expm1(d, v))));
    ANEMONE_UNARY(kLinear, hn::MulAdd(v, hn::Set(d, alpha), hn::Set(d, beta)));
    ANEMONE_UNARY(kSigmoid, VectorSigmoid(d, v));
    ANEMONE_UNARY(kHardSigmoid, HardSigmoid(d, v, alpha, beta));
    ANEMONE_UNARY(kHardSwish, HardSwish(d, v, alpha, beta));
    ANEMONE_UNARY(kHardSwishOfHalf, HardSwishOfHalf(d, v, alpha, beta));
    ANEMONE_UNARY(kSilu, hn::Mul(MaxOf(hn::Set(d, -105.0f), v), VectorSigmoid(d, v)));
    ANEMONE_UNARY(kGeluErf, GeluErf(d, v));
    ANEMONE_UNARY(kGeluTanh, GeluTanh(d, v));
    ANEMONE_UNARY(kGeluSigmoid, hn::Mul(v, VectorSigmoid(d, hn::Mul(v, hn::Set(d, 1.702f)))));
    ANEMONE_UNARY(kTanh, VectorTanh(d, v));
    ANEMONE_UNARY(kScaledTanh,
                  hn::Mul(hn::Set(d, alpha), VectorTanh(d, hn::Mul(v, hn::Set(d, beta)))));
    ANEMONE_UNARY(kSoftplus, VectorSoftplus(d, v));
    ANEMONE_UNARY(kSoftsign, Softsign(d, v));
    ANEMONE_UNARY(kErf, VectorErf(d, v));
    ANEMONE_UNARY(kExp, VectorExp(d, v));
    ANEMONE_UNARY(kLog, Log(d, v));
    ANEMONE_UNARY(kSqrt, hn::Sqrt(v));
    ANEMONE_UNARY(kRsqrt, hn::Div(hn::Set(d, 1.0f), hn::Sqrt(v)));
    ANEMONE_UNARY(kInverse, hn::Div(hn::Set(d, 1.0f), v));
    ANEMONE_UNARY(kAbs, hn::Abs(v));
    ANEMONE_UNARY(kNegate, hn::Neg(v));
    ANEMONE_UNARY(kSquare, hn::Mul(v, v));
    ANEMONE_UNARY(kFloor, hn::Floor(v));
    ANEMONE_UNARY(kCeil, hn::Ceil(v));
    ANEMONE_UNARY(kRoundEven, hn::Round(v));
    ANEMONE_UNARY(kRoundToHalf, RoundHalf(d, v));
    ANEMONE_UNARY(kQuantizeInt8, Quantize(d, v, alpha, beta, -128.0f, 127.0f));
    ANEMONE_UNARY(kQuantizeUint8, Quantize(d, v, alpha, beta, 0.0f, 255.0f));
    case StepKind::kSave:
      return;  // done by ApplySteps
  }
}
#undef ANEMONE_UNARY
#undef ANEMONE_BINARY

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {
namespace {

// Floats that pass through all steps while in the first-level cache.
constexpr int64_t kBlock = 2048;

HWY_EXPORT(ApplyStep);
HWY_EXPORT(WidenBytes);

// Whether a rows x columns tensor with this operand can be seen as one long row.
bool IsFlat(const StepOperand& operand, int64_t columns) {
  const bool whole =
      operand.column_stride == 1 && operand.rows_per_step == 1 && operand.row_stride == columns;
  const bool scalar = operand.column_stride == 0 && operand.row_stride == 0;
  return whole || scalar || operand.data == nullptr;
}

// Whether the steps do the same at every place of a tensor.
bool AreSamePlaces(std::span<const Step> steps) {
  return std::all_of(steps.begin(), steps.end(), [&](const Step& step) {
    const StepOperand& o = step.operand;
    return !HasOperand(step.kind) || (o.data == nullptr && o.bytes == nullptr) ||
           (o.row_stride == 0 && o.column_stride == 0);
  });
}

}  // namespace

bool IsFlat(std::span<const Step> steps, int64_t columns) {
  return std::all_of(steps.begin(), steps.end(), [&](const Step& step) {
    return !HasOperand(step.kind) || IsFlat(step.operand, columns);
  });
}

void ApplyFunction(const Step& step, float* x, size_t n) {
  HWY_DYNAMIC_DISPATCH(ApplyStep)(step, x, nullptr, 0, n);
}

void ApplyStepsToBlock(std::span<const Step> steps, float* block, int64_t stride, int64_t row,
                       int64_t rows, int64_t column, int64_t columns) {
  const auto apply = HWY_DYNAMIC_DISPATCH(ApplyStep);
  if (rows > 1 && columns == stride && AreSamePlaces(steps)) {
    columns *= rows;
    rows = 1;
  }
  const auto widen = HWY_DYNAMIC_DISPATCH(WidenBytes);
  float saved[kBlock];
  float operand[kBlock];
  for (int64_t r = row; r < row + rows; ++r, block += stride) {
    for (int64_t c = column; c < column + columns; c += kBlock) {
      const int64_t n = std::min(kBlock, column + columns - c);
      float* x = block + (c - column);
      for (const Step& step : steps) {
        const StepOperand& o = step.operand;
        if (step.kind == StepKind::kSave) {
          std::copy_n(x, n, saved);
        } else if (!HasOperand(step.kind)) {
          apply(step, x, nullptr, 0, static_cast<size_t>(n));
        } else if (o.bytes != nullptr) {
          const auto count = static_cast<size_t>(n);
          widen(o.bytes + r * o.row_stride + c, o.zero, o.scale, operand, count);
          apply(step, x, operand, 1, count);
        } else if (o.data == nullptr) {
          apply(step, x, saved, 1, static_cast<size_t>(n));
        } else {
          const float* y = o.data + (r / o.rows_per_step) * o.row_stride + c * o.column_stride;
          apply(step, x, y, static_cast<size_t>(o.column_stride), static_cast<size_t>(n));
        }
      }
    }
  }
}

void ApplySteps(std::span<const Step> steps, float* data, int64_t stride, int64_t row, int64_t rows,
                int64_t column, int64_t columns) {
  if (steps.empty()) return;
  if (rows > 1 && column == 0 && columns == stride && IsFlat(steps, columns)) {
    // One long row.
    column = row * stride;
    columns = rows * stride;
    row = 0;
    rows = 1;
  }
  ApplyStepsToBlock(steps, data + row * stride + column, stride, row, rows, column, columns);
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
