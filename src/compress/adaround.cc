#include "compress/adaround.h"

#include <cmath>
#include <vector>

#include "base/simd_targets.h"
#include "compress/moments.h"
#include "compress/rounding_grid.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/adaround.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "hwy/highway.h"

// The state of the training for each weight; arrays of equal length.
#ifndef ANEMONE_ADAROUND_TRAINING
#define ANEMONE_ADAROUND_TRAINING
namespace anemone::compress {

struct TrainingArrays {
  const float* weight;
  const float* down;
  const float* step;
  const float* through;  // the error times the products
  float* error;
  float* soft;   // the choice: 0 down, 1 up
  float* slope;  // of the choice by the logit
  float* logit;
  float* mean;
  float* square;
};
struct TrainingStep {
  float power;     // of the inputs
  float pressure;  // times the exponent and the chain rule's 2
  int exponent;    // 0: no pressure yet
  float rate;      // with the correction of the mean
  float square_scale;
};

}  // namespace anemone::compress
#endif

HWY_BEFORE_NAMESPACE();
namespace anemone::compress {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// No fused operations anywhere: each element gets the same bits whatever the width of a register.
template <class D>
void SoftenPart(D d, const TrainingArrays& at, size_t i) {
  const auto one = hn::Set(d, 1.0f);
  const auto logit = hn::LoadU(d, at.logit + i);
  const auto inverse = hn::Div(one, hn::Add(one, hn::Abs(logit)));
  // x / (1 + |x|), from -1 to 1, stretched to -0.1 ... 1.1.
  const auto stretched =
      hn::Add(hn::Mul(hn::Set(d, 0.6f), hn::Mul(logit, inverse)), hn::Set(d, 0.5f));
  const auto soft = hn::Min(hn::Max(stretched, hn::Zero(d)), one);
  const auto slope = hn::Mul(hn::Set(d, 0.6f), hn::Mul(inverse, inverse));
  hn::StoreU(soft, d, at.soft + i);
  hn::StoreU(hn::IfThenElseZero(hn::Eq(soft, stretched), slope), d, at.slope + i);
  const auto value = hn::Add(hn::LoadU(d, at.down + i), hn::Mul(soft, hn::LoadU(d, at.step + i)));
  hn::StoreU(hn::Sub(value, hn::LoadU(d, at.weight + i)), d, at.error + i);
}

template <class D>
void MovePart(D d, const TrainingArrays& at, const TrainingStep& how, size_t i) {
  const auto step = hn::LoadU(d, at.step + i);
  const auto chosen = hn::Ne(step, hn::Zero(d));
  // The error's gradient, where 1 is a whole step at an input of mean power.
  auto gradient = hn::Div(hn::Mul(hn::Set(d, 2.0f), hn::LoadU(d, at.through + i)),
                          hn::Mul(hn::Set(d, how.power), step));
  if (how.exponent > 0) {
    const auto apart = hn::Sub(hn::Mul(hn::Set(d, 2.0f), hn::LoadU(d, at.soft + i)),
                               hn::Set(d, 1.0f));  // -1 down, 1 up
    auto power = hn::Abs(apart);
    auto push = hn::Set(d, how.pressure);
    for (int left = how.exponent - 1; left > 0; left /= 2) {
      if (left % 2 != 0) push = hn::Mul(push, power);
      power = hn::Mul(power, power);
    }
    gradient = hn::Sub(gradient, hn::CopySign(push, apart));
  }
  gradient = hn::IfThenElseZero(chosen, hn::Mul(gradient, hn::LoadU(d, at.slope + i)));
  const auto blend = [&](float* kept, auto now, float share) {
    const auto old = hn::LoadU(d, kept + i);
    const auto mixed = hn::Add(old, hn::Mul(hn::Set(d, share), hn::Sub(now, old)));
    hn::StoreU(mixed, d, kept + i);
    return mixed;
  };
  const auto mean = blend(at.mean, gradient, 0.1f);
  const auto square = blend(at.square, hn::Mul(gradient, gradient), 0.001f);
  const auto spread =
      hn::Add(hn::Sqrt(hn::Mul(square, hn::Set(d, how.square_scale))), hn::Set(d, 1e-8f));
  const auto move = hn::Div(hn::Mul(hn::Set(d, how.rate), mean), spread);
  hn::StoreU(hn::Sub(hn::LoadU(d, at.logit + i), move), d, at.logit + i);
}

void SoftenAll(const TrainingArrays& at, size_t count) {
  const hn::ScalableTag<float> d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) SoftenPart(d, at, i);
  for (; i < count; ++i) SoftenPart(hn::CappedTag<float, 1>(), at, i);
}

void MoveAll(const TrainingArrays& at, const TrainingStep& how, size_t count) {
  const hn::ScalableTag<float> d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) MovePart(d, at, how, i);
  for (; i < count; ++i) MovePart(hn::CappedTag<float, 1>(), at, how, i);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::compress
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::compress {

HWY_EXPORT(SoftenAll);
HWY_EXPORT(MoveAll);

namespace {

constexpr double kDamping = 0.01;  // of the mean of the diagonal: few inputs say little
constexpr int kSweeps = 16;

// The two values that each weight of a group of output channels may get. Row-major [rows, n].
struct Choices {
  std::vector<float> weight;
  std::vector<float> down;
  std::vector<float> step;  // up - down; 0: there is no choice
  std::vector<int> stored_down;
  std::vector<int> stored_up;
  std::vector<bool> nearest_up;
};

// The whole symmetric matrix for a given upper triangle, with its diagonal damped.
std::vector<float> Symmetric(std::span<const float> upper, size_t n, double damping) {
  std::vector<float> whole(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i; j < n; ++j) whole[i * n + j] = whole[j * n + i] = upper[i * n + j];
    whole[i * n + i] += static_cast<float>(damping);
  }
  return whole;
}

// The errors of a choice, [rows, n].
std::vector<float> ErrorsOf(const Choices& choices, const std::vector<bool>& up) {
  std::vector<float> errors(up.size());
  for (size_t i = 0; i < up.size(); ++i)
    errors[i] = choices.down[i] + (up[i] ? choices.step[i] : 0.0f) - choices.weight[i];
  return errors;
}

// e^T H e of each row.
std::vector<double> OutputErrors(std::span<const float> errors, std::span<const float> products,
                                 size_t n) {
  std::vector<float> through(errors.size());
  MultiplyRows(errors, products, n, through);
  std::vector<double> result(errors.size() / n, 0.0);
  for (size_t i = 0; i < errors.size(); ++i) result[i / n] += double{errors[i]} * through[i];
  return result;
}

// The pressure's exponent: flat in the middle at first, steep at the end; 0: no pressure yet.
int ExponentAt(int step, int steps) {
  constexpr double kWarmUp = 0.2;
  constexpr double kFirst = 20;
  constexpr double kLast = 2;
  const double at = static_cast<double>(step) / steps;
  if (at <= kWarmUp) return 0;
  return static_cast<int>(std::lround(kFirst + (kLast - kFirst) * (at - kWarmUp) / (1 - kWarmUp)));
}

// Trains the soft choices of all rows, and returns which end up nearer to up.
std::vector<bool> Learn(const Choices& choices, std::span<const float> products, size_t n,
                        const AdaRoundOptions& options) {
  const size_t count = choices.weight.size();
  double power = 0;
  for (size_t i = 0; i < n; ++i) power += products[i * n + i];
  power /= static_cast<double>(n);
  std::vector<float> logit(count);
  for (size_t i = 0; i < count; ++i) {
    const float share =
        choices.step[i] == 0 ? 0.5f : (choices.weight[i] - choices.down[i]) / choices.step[i];
    // SoftenPart is its inverse.
    const float between = (std::clamp(share, 0.01f, 0.99f) - 0.5f) / 0.6f;
    logit[i] = between / (1 - std::abs(between));
  }
  std::vector<float> soft(count);
  std::vector<float> slope(count);
  std::vector<float> error(count);
  std::vector<float> through(count);
  std::vector<float> mean(count, 0.0f);
  std::vector<float> square(count, 0.0f);
  const TrainingArrays arrays{.weight = choices.weight.data(),
                              .down = choices.down.data(),
                              .step = choices.step.data(),
                              .through = through.data(),
                              .error = error.data(),
                              .soft = soft.data(),
                              .slope = slope.data(),
                              .logit = logit.data(),
                              .mean = mean.data(),
                              .square = square.data()};
  // Large layers take fewer, longer steps: each costs count x n multiplications.
  constexpr double kMultiplications = 2e11;
  const double affordable =
      kMultiplications / (static_cast<double>(count) * static_cast<double>(n));
  const int steps = static_cast<int>(
      std::clamp(affordable, options.steps / 8.0, static_cast<double>(options.steps)));
  const double rate =
      double{options.rate} * std::min(4.0, static_cast<double>(options.steps) / steps);
  double mean_left = 1;
  double square_left = 1;
  for (int step = 0; step < steps; ++step) {
    HWY_DYNAMIC_DISPATCH(SoftenAll)(arrays, count);
    MultiplyRows(error, products, n, through);
    mean_left *= 0.9;
    square_left *= 0.999;
    const int exponent = ExponentAt(step, steps);
    const TrainingStep how{
        .power = static_cast<float>(power),
        .pressure = 2 * options.pressure * static_cast<float>(exponent),
        .exponent = exponent,
        .rate = static_cast<float>(rate / (1 - mean_left)),
        .square_scale = static_cast<float>(1 / (1 - square_left)),
    };
    HWY_DYNAMIC_DISPATCH(MoveAll)(arrays, how, count);
  }
  HWY_DYNAMIC_DISPATCH(SoftenAll)(arrays, count);
  std::vector<bool> up(count);
  for (size_t i = 0; i < count; ++i) up[i] = soft[i] >= 0.5f;
  return up;
}

// Flips single choices as long as that lowers the error of the row.
void Polish(const Choices& choices, std::span<const float> products, size_t n,
            std::vector<bool>* up) {
  std::vector<float> errors = ErrorsOf(choices, *up);
  std::vector<float> through(errors.size());
  MultiplyRows(errors, products, n, through);
  for (size_t first = 0; first < errors.size(); first += n) {
    const std::span<float> row = std::span(through).subspan(first, n);
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      bool turned = false;
      for (size_t i = 0; i < n; ++i) {
        const float step = (*up)[first + i] ? -choices.step[first + i] : choices.step[first + i];
        if (step == 0) continue;
        const double own = double{step} * step * products[i * n + i];
        // The gain must exceed rounding errors.
        if (2.0 * step * row[i] + own >= -1e-6 * own) continue;
        AddScaled(step, products.subspan(i * n, n), row);
        (*up)[first + i] = !(*up)[first + i];
        turned = true;
      }
      if (!turned) break;
    }
  }
}

Choices ChoicesOf(std::span<const float> values, size_t first, size_t count,
                  const RoundingGrid& grid) {
  Choices choices;
  for (size_t i = first; i < first + count; ++i) {
    const size_t block = grid.BlockOf(i);
    const float scale = grid.Scale(block);
    const float steps = scale == 0 ? 0 : values[i] / scale;
    const int down = grid.Stored(std::floor(steps), block);
    const int up = grid.Stored(std::floor(steps) + 1, block);
    const float value = grid.Value(down, block);
    choices.weight.push_back(values[i]);
    choices.down.push_back(value);
    choices.step.push_back(scale == 0 ? 0 : grid.Value(up, block) - value);
    choices.stored_down.push_back(down);
    choices.stored_up.push_back(scale == 0 ? down : up);
    choices.nearest_up.push_back(grid.Stored(std::nearbyint(steps), block) != down);
  }
  return choices;
}

}  // namespace

Status RoundByLearning(const ir::Literal& weight, const InputMoments& moments, LinearMode mode,
                       LinearTensor* tensor, const AdaRoundOptions& options) {
  const ir::Shape& shape = weight.shape();
  const auto n = static_cast<size_t>(moments.row);
  if (moments.products.empty())
    return InvalidInput("rows of {} elements are too long for adaround", moments.row);
  const std::vector<float> values = *weight.AsFloats();
  const RoundingGrid grid(*tensor, mode);
  const auto groups = static_cast<size_t>(moments.groups);
  const size_t per_group = values.size() / groups;
  std::vector<int64_t> integers;
  double squares = 0;
  double largest = 0;
  for (size_t group = 0; group < groups; ++group) {
    const auto upper = std::span<const float>(moments.products).subspan(group * n * n, n * n);
    const Choices choices = ChoicesOf(values, group * per_group, per_group, grid);
    double mean = 0;
    for (size_t i = 0; i < n; ++i) mean += upper[i * n + i];
    mean /= static_cast<double>(n);
    std::vector<bool> up = choices.nearest_up;
    if (mean > 0) {  // otherwise dead inputs: nothing to learn from
      const std::vector<float> plain = Symmetric(upper, n, 0);
      const std::vector<float> damped = Symmetric(upper, n, kDamping * mean);
      up = Learn(choices, damped, n, options);
      Polish(choices, damped, n, &up);
      const auto learned = OutputErrors(ErrorsOf(choices, up), plain, n);
      const auto nearest = OutputErrors(ErrorsOf(choices, choices.nearest_up), plain, n);
      for (size_t i = 0; i < up.size(); ++i)
        if (!(learned[i / n] < nearest[i / n])) up[i] = choices.nearest_up[i];
    }
    for (size_t i = 0; i < up.size(); ++i) {
      integers.push_back(up[i] ? choices.stored_up[i] : choices.stored_down[i]);
      const double lost =
          std::abs(double{choices.down[i]} + (up[i] ? choices.step[i] : 0.0f) - choices.weight[i]);
      squares += lost * lost;
      largest = std::max(largest, lost);
    }
  }
  const DType dtype = tensor->data.dtype();
  ANEMONE_ASSIGN(tensor->data, ir::Literal::FromBytes(ir::Type::Tensor(dtype, shape),
                                                      ir::PackInts(integers, dtype)));
  tensor->max_error = largest;
  tensor->rms_error = std::sqrt(squares / static_cast<double>(values.size()));
  return {};
}

}  // namespace anemone::compress
#endif  // HWY_ONCE
