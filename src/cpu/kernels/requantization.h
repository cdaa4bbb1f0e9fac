// What follows an exact sum of integer products until it is a whole number of 8 bits again: steps between which
// values are quantized, rewritten so that each value is held in units of the quantum that it is rounded to next. A
// division, a multiplication and a comparison for each value become one multiplication and addition. Only how
// scales are rounded differs, so that a quotient beside a tie may become the neighbor.
// Thread rules: plain data.
#pragma once

#include <cstdint>
#include <span>

#include "cpu/kernels/steps.h"

namespace anemone::cpu {

struct Requantization {
  enum class Kind : uint8_t {
    kAffine,     // a * x + b
    kClamp,      // to [a, b]
    kRound,      // to the nearest whole number, ties to even
    kHardSwish,  // x * clamp(a * x + b, 0, 1)
    kFunction,   // b * f(a * x), where f is that of steps[step], which needs the value itself
    kAddBytes,   // x + a * byte of the operand of steps[step]
  };
  struct Operation {
    Kind kind = Kind::kAffine;
    float a = 1.0f;
    float b = 0.0f;
    int step = 0;
  };
  static constexpr int kMaxOperations = 32;

  // Steps of which the last quantizes to what is stored, less `zero`.
  Requantization(std::span<const Step> steps, float zero);
  // Otherwise the steps must be applied one by one: a scale cannot be moved through them, or is beyond any measure.
  bool possible() const { return possible_; }
  std::span<const Operation> operations() const {
    return {operations_, static_cast<size_t>(count_)};
  }

  // A product's scale and bias are multiplied by `per_quantum`, and `shift` is added to the bias. Beyond kMost they might
  // become infinite on the way.
  float per_quantum = 1.0f;
  float shift = 0.0f;
  static constexpr float kMost = 1e25f;
  // In the end the value is clamped, rounded, and stored with `offset` added.
  float low = 0.0f;
  float high = 0.0f;
  int32_t offset = 0;

 private:
  bool Compile(std::span<const Step> steps, float zero);
  // A run of steps that ends with quantize, to the quantum of which values are brought first.
  bool CompileRun(std::span<const Step> run, int first, double unit, double less);
  bool Append(Kind kind, double a, double b, int step = 0);

  Operation operations_[kMaxOperations];
  int count_ = 0;
  bool possible_ = false;
};

}  // namespace anemone::cpu
