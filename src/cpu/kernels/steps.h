// Steps: the elementwise work that follows another kernel (or stands alone), as data. A conv with
// bias, ReLU and a residual addition is one kernel call with the steps {add, relu}; a chain of
// elementwise operators is one Apply.
//
// A tensor is seen as rows x columns, columns contiguous (NHWC: a row is a pixel, a column a
// channel). An operand may be a whole tensor, one value per column, one row per block of rows (per
// image), one value per row, or a scalar.
//
// Accuracy against the exact value, measured over all targets by tests: exp, sigmoid, tanh, erf,
// log 3 ulp; silu 4 ulp; gelu 1.2e-6 absolute and 4 ulp for x > 0; the others are
// correctly rounded or nearly (div, sqrt). Results are finite for finite arguments unless the exact
// value overflows; NaN stays NaN.
//
// Thread rules: pure functions; operands must not overlap the data unless they are equal and of the
// same shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace anemone::cpu {

enum class StepKind : uint8_t {
  // With an operand: x op y, or y op x for the Reverse ones.
  kAdd,
  kSub,
  kReverseSub,
  kMul,
  kDiv,
  kReverseDiv,
  kMax,
  kMin,
  kPRelu,  // x >= 0 ? x : y * x
  // Without an operand; alpha and beta as noted.
  kRelu,
  kClamp,      // to [alpha, beta]
  kLeakyRelu,  // x >= 0 ? x : alpha * x
  kElu,        // x >= 0 ? x : alpha * (exp(x) - 1)
  kLinear,     // alpha * x + beta
  kSigmoid,
  kHardSigmoid,      // clamp(alpha * x + beta, 0, 1)
  kHardSwish,        // x * clamp(alpha * x + beta, 0, 1)
  kHardSwishOfHalf,  // the same, with the second factor rounded to half
  kSilu,
  kGeluErf,
  kGeluTanh,
  kGeluSigmoid,  // x * sigmoid(1.702 x)
  kTanh,
  kScaledTanh,  // alpha * tanh(beta * x)
  kSoftplus,
  kSoftsign,
  kErf,
  kExp,
  kLog,
  kSqrt,
  kRsqrt,
  kInverse,
  kAbs,
  kNegate,
  kSquare,
  kFloor,
  kCeil,
  kRoundEven,
  kRoundToHalf,  // to the nearest float16 (emulated numerics)
  // The whole number round(x / alpha) + beta, ties to even, within the type's range; NaN becomes 0.
  kQuantizeInt8,
  kQuantizeUint8,
  kSave,  // saves x; a later step whose operand has no data reads it
};

// Element (r, c) is data[(r / rows_per_step) * row_stride + c * column_stride]; column_stride is 0
// or 1. No data: the value that the last kSave kept.
struct StepOperand {
  const float* data = nullptr;
  int64_t row_stride = 0;
  int64_t rows_per_step = 1;
  int64_t column_stride = 0;
  // Instead of `data`, for a whole tensor: bytes, which stand for (byte - zero) * scale.
  const uint8_t* bytes = nullptr;
  int32_t zero = 0;
  float scale = 1.0f;
};

struct Step {
  StepKind kind = StepKind::kRelu;
  float alpha = 0.0f;
  float beta = 0.0f;
  StepOperand operand = {};
};

inline bool HasOperand(StepKind kind) { return kind <= StepKind::kPRelu; }
inline bool IsQuantize(StepKind kind) {
  return kind == StepKind::kQuantizeInt8 || kind == StepKind::kQuantizeUint8;
}

// Applies the steps in order, in place, to a block of a tensor: rows [row, row + rows) and columns
// [column, column + columns), of which the first lies at `block` and each row is `stride` floats
// after the one before. A step's operand is addressed by the tensor's rows and columns.
void ApplyStepsToBlock(std::span<const Step> steps, float* block, int64_t stride, int64_t row,
                       int64_t rows, int64_t column, int64_t columns);

// Applies the steps in order, in place, to rows [row, row + rows) and columns [column, column +
// columns) of the tensor at `data` (its element (0, 0)), whose rows are `stride` floats apart.
void ApplySteps(std::span<const Step> steps, float* data, int64_t stride, int64_t row, int64_t rows,
                int64_t column, int64_t columns);

// Applies a step without an operand, which is not kSave, to n values.
void ApplyFunction(const Step& step, float* x, size_t n);

// Whether a rows x columns tensor, whatever its rows, can be seen as one long row by these steps.
bool IsFlat(std::span<const Step> steps, int64_t columns);

}  // namespace anemone::cpu
