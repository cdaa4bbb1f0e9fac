#include "cpu/kernels/requantization.h"

#include <algorithm>
#include <cmath>

namespace anemone::cpu {
namespace {

using K = StepKind;

bool IsSmall(double value) { return std::abs(value) < double{Requantization::kMost}; }

// Whether the quantum is one that numbers can be divided by.
bool IsQuantum(float value) { return value > 1e-20f && value < 1e20f; }

}  // namespace

Requantization::Requantization(std::span<const Step> steps, float zero)
    : possible_(Compile(steps, zero)) {}

bool Requantization::Append(Kind kind, double a, double b, int step) {
  if (count_ == kMaxOperations || std::isnan(a) || std::isnan(b)) return false;
  // A clamp may be open.
  if (kind != Kind::kClamp && (!IsSmall(a) || !IsSmall(b))) return false;
  operations_[count_++] = {kind, static_cast<float>(a), static_cast<float>(b), step};
  return true;
}

bool Requantization::Compile(std::span<const Step> steps, float zero) {
  // The value is unit * x + less, where x is what operations compute; at first, the sum itself.
  double unit = 1.0, less = 0.0;
  const auto count = static_cast<int>(steps.size());
  for (int at = 0; at < count;) {
    int end = at;
    while (end < count && !IsQuantize(steps[static_cast<size_t>(end)].kind)) ++end;
    if (end == count) return false;
    const Step& quantize = steps[static_cast<size_t>(end)];
    if (!IsQuantum(quantize.alpha)) return false;
    if (at > 0 && !Append(Kind::kRound, 0, 0)) return false;
    // What follows the last quantize immediately: its integers are scaled.
    while (at > 0 && at < end && steps[static_cast<size_t>(at)].kind == K::kLinear) {
      const Step& linear = steps[static_cast<size_t>(at++)];
      unit *= double{linear.alpha};
      less = less * double{linear.alpha} + double{linear.beta};
    }
    const auto begin = static_cast<size_t>(at);
    const auto run = steps.subspan(begin, static_cast<size_t>(end) + 1 - begin);
    if (!CompileRun(run, at, unit, less)) return false;
    unit = 1.0;
    less = double{quantize.beta};
    at = end + 1;
    if (at == count) {
      offset = static_cast<int32_t>(quantize.beta - zero);
      // The last clamp is part of the end.
      const Operation& clamp = operations_[--count_];
      low = clamp.a;
      high = clamp.b;
    }
  }
  return count > 0;
}

bool Requantization::CompileRun(std::span<const Step> run, int first, double unit, double less) {
  const Step& quantize = run.back();
  const auto quantum = double{quantize.alpha};
  // Values come in units of the quantum, and with what the zero points of operands that are added at once subtract.
  double constant = less / quantum;
  size_t at = 0;
  for (; at + 1 < run.size() && run[at].kind == K::kAdd; ++at) {
    if (run[at].operand.bytes == nullptr) return false;
    constant -= double{run[at].operand.scale} / quantum * run[at].operand.zero;
  }
  if (first == 0) {
    per_quantum = static_cast<float>(1.0 / quantum);
    shift = static_cast<float>(constant);
    if (!IsSmall(constant)) return false;
  } else if (!Append(Kind::kAffine, unit / quantum, constant)) {
    return false;
  }
  double low_end = -HUGE_VAL, high_end = HUGE_VAL;  // of the clamp that waits
  const auto clamp = [&] {
    const bool any = low_end != -HUGE_VAL || high_end != HUGE_VAL;
    const bool done = !any || Append(Kind::kClamp, low_end, high_end);
    low_end = -HUGE_VAL;
    high_end = HUGE_VAL;
    return done;
  };
  const auto narrow = [&](double low_limit, double high_limit) {
    const double least = std::clamp(low_limit, low_end, high_end);
    high_end = std::clamp(high_limit, low_end, high_end);
    low_end = least;
  };
  for (size_t i = 0; i + 1 < run.size(); ++i) {
    const Step& step = run[i];
    switch (step.kind) {
      case K::kRelu:
        narrow(0.0, HUGE_VAL);
        break;
      case K::kClamp:
        if (step.alpha > step.beta) return false;
        narrow(double{step.alpha} / quantum, double{step.beta} / quantum);
        break;
      case K::kHardSwish:
        if (!clamp() || !Append(Kind::kHardSwish, double{step.alpha} * quantum, step.beta)) {
          return false;
        }
        break;
      case K::kHardSigmoid:
      case K::kSigmoid:
      case K::kSilu:
      case K::kGeluErf:
        if (!clamp() ||
            !Append(Kind::kFunction, quantum, 1.0 / quantum, first + static_cast<int>(i))) {
          return false;
        }
        break;
      case K::kAdd: {
        if (step.operand.bytes == nullptr || !clamp()) return false;
        const double scale = double{step.operand.scale} / quantum;
        if (i >= at && !Append(Kind::kAffine, 1.0, -scale * step.operand.zero)) return false;
        if (!Append(Kind::kAddBytes, scale, 0, first + static_cast<int>(i))) return false;
        break;
      }
      default:
        return false;
    }
  }
  const bool is_signed = quantize.kind == K::kQuantizeInt8;
  narrow((is_signed ? -128.0 : 0.0) - double{quantize.beta},
         (is_signed ? 127.0 : 255.0) - double{quantize.beta});
  return clamp();
}

}  // namespace anemone::cpu
