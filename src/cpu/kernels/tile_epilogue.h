// What a tile of a product does with its sums before they leave the registers, and where they go.
// Thread rules: plain data.
#pragma once

#include <cstdint>

#include "cpu/kernels/requantization.h"
#include "cpu/kernels/steps.h"

namespace anemone::cpu {

// A whole number of 8 bits, less its zero point, as a product of integers reads it.
using NarrowInt = int16_t;

// Where a kernel writes its results: as floats, or, where the last step quantizes, as whole numbers
// less `zero`.
struct Destination {
  Destination() = default;
  Destination(float* to) : floats(to) {}  // NOLINT(google-explicit-constructor): the usual case
  Destination(NarrowInt* to, float zero_point) : narrow(to), zero(zero_point) {}
  Destination(uint8_t* to, float less) : bytes(to), zero(less) {}
  // One of them is not null.
  float* floats = nullptr;
  NarrowInt* narrow = nullptr;
  uint8_t* bytes = nullptr;
  float zero = 0.0f;
};

// One step of the tile; element (r, c) of its operand is operand[r * row_stride + c * column_stride]
// with r and c counted from the tile's first.
struct TileStep {
  StepKind kind = StepKind::kRelu;
  float alpha = 0.0f;
  float beta = 0.0f;
  const float* operand = nullptr;
  int64_t row_stride = 0;
  int64_t column_stride = 0;
  // Instead of `operand`: bytes, which stand for (byte - zero) * scale; column_stride is 1.
  const uint8_t* bytes = nullptr;
  int32_t zero = 0;
  float scale = 1.0f;
};

struct TileEpilogue {
  static constexpr int kMaxSteps = 8;
  TileStep steps[kMaxSteps];  // of kinds that RunsInTile
  int count = 0;
  // The tile's first result, of which rows x columns are written: in `c`, or, after the step
  // `quantize`, in `narrow` or `bytes`, less `zero`. Rows are `stride` elements apart.
  float* c = nullptr;
  NarrowInt* narrow = nullptr;
  uint8_t* bytes = nullptr;
  int64_t stride = 0;
  TileStep quantize;
  float zero = 0.0f;
  // Where the results are narrow and sums are integers, the steps and `quantize` in another form, if there is one.
  const Requantization* requantization = nullptr;
  int rows = 0;
  int columns = 0;
};

// Goes `rows` rows down.
inline void Advance(TileEpilogue* end, int rows) {
  for (int i = 0; i < end->count; ++i) {
    TileStep& step = end->steps[i];
    if (step.operand != nullptr) step.operand += rows * step.row_stride;
    if (step.bytes != nullptr) step.bytes += rows * step.row_stride;
  }
  if (end->c != nullptr) end->c += rows * end->stride;
  if (end->narrow != nullptr) end->narrow += rows * end->stride;
  if (end->bytes != nullptr) end->bytes += rows * end->stride;
}

// Whether the tile takes a step of this kind on its registers.
inline bool RunsInTile(StepKind kind) {
  switch (kind) {
    case StepKind::kAdd:
    case StepKind::kMul:
    case StepKind::kRelu:
    case StepKind::kClamp:
    case StepKind::kLinear:
    case StepKind::kHardSwish:
    case StepKind::kHardSwishOfHalf:
    case StepKind::kHardSigmoid:
    case StepKind::kSigmoid:
    case StepKind::kSilu:
    case StepKind::kGeluErf:
    case StepKind::kRoundToHalf:
    case StepKind::kQuantizeInt8:
    case StepKind::kQuantizeUint8:
      return true;
    default:
      return false;
  }
}

}  // namespace anemone::cpu
