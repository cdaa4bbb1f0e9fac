#include "compress/adaround.h"

#include <cmath>
#include <vector>

#include "compress/moments.h"
#include "compress/rounding_grid.h"

namespace anemone::compress {
namespace {

constexpr double kDamping = 0.01;  // of the mean of the diagonal: few inputs say little
constexpr float kStretchLow = -0.1f;
constexpr float kStretchHigh = 1.1f;
constexpr float kStretch = kStretchHigh - kStretchLow;
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

// The whole of a symmetric matrix whose upper triangle is given, its diagonal damped.
std::vector<float> Symmetric(std::span<const float> upper, size_t n, double damping) {
  std::vector<float> whole(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i; j < n; ++j) whole[i * n + j] = whole[j * n + i] = upper[i * n + j];
    whole[i * n + i] += static_cast<float>(damping);
  }
  return whole;
}

// Errors that a choice makes, [rows, n].
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

// The pressure's exponent: flat in the middle at first, steep at the end; 0: not yet.
float ExponentAt(int step, int steps) {
  constexpr float kWarmUp = 0.2f;
  constexpr float kFirst = 20;
  constexpr float kLast = 2;
  const float at = static_cast<float>(step) / static_cast<float>(steps);
  return at <= kWarmUp ? 0 : kFirst + (kLast - kFirst) * (at - kWarmUp) / (1 - kWarmUp);
}

// Trains the soft choices of all rows, and says which end up nearer to up.
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
    logit[i] = -std::log(kStretch / (std::clamp(share, 0.01f, 0.99f) - kStretchLow) - 1);
  }
  std::vector<float> soft(count);
  std::vector<float> slope(count);
  std::vector<float> error(count);
  std::vector<float> through(count);
  std::vector<float> mean(count, 0.0f);
  std::vector<float> square(count, 0.0f);
  constexpr float kMeanDecay = 0.9f;
  constexpr float kSquareDecay = 0.999f;
  constexpr float kTiny = 1e-8f;
  double mean_left = 1;
  double square_left = 1;
  const auto soften = [&] {
    for (size_t i = 0; i < count; ++i) {
      const float sigmoid = 1 / (1 + std::exp(-logit[i]));
      const float stretched = sigmoid * kStretch + kStretchLow;
      soft[i] = std::clamp(stretched, 0.0f, 1.0f);
      slope[i] = soft[i] == stretched ? sigmoid * (1 - sigmoid) * kStretch : 0;
    }
  };
  for (int step = 0; step < options.steps; ++step) {
    soften();
    for (size_t i = 0; i < count; ++i)
      error[i] = choices.down[i] + soft[i] * choices.step[i] - choices.weight[i];
    MultiplyRows(error, products, n, through);
    const float exponent = ExponentAt(step, options.steps);
    mean_left *= kMeanDecay;
    square_left *= kSquareDecay;
    const auto mean_scale = static_cast<float>(1 / (1 - mean_left));
    const auto square_scale = static_cast<float>(1 / (1 - square_left));
    for (size_t i = 0; i < count; ++i) {
      if (choices.step[i] == 0) continue;
      const auto unit = static_cast<float>(power * choices.step[i] * choices.step[i]);
      float gradient = 2 * through[i] * choices.step[i] / unit;
      if (exponent > 0) {
        const float apart = 2 * soft[i] - 1;  // -1 down, 1 up
        const float push = 2 * exponent * std::pow(std::abs(apart), exponent - 1);
        gradient -= options.pressure * std::copysign(push, apart);
      }
      gradient *= slope[i];
      mean[i] += (1 - kMeanDecay) * (gradient - mean[i]);
      square[i] += (1 - kSquareDecay) * (gradient * gradient - square[i]);
      logit[i] -=
          options.rate * mean[i] * mean_scale / (std::sqrt(square[i] * square_scale) + kTiny);
    }
  }
  soften();
  std::vector<bool> up(count);
  for (size_t i = 0; i < count; ++i) up[i] = soft[i] >= 0.5f;
  return up;
}

// Turns single choices over as long as that lowers the error of the row.
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
        // What is gained must stand out from rounding.
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
    if (mean > 0) {  // else dead inputs: nothing to learn from
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
