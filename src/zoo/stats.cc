#include "zoo/stats.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace anemone::zoo {
namespace {

// The assumed correlation of neighboring values of one channel: between noise (0) and smooth
// pictures (1).
constexpr double kSpatialCorrelation = 0.5;
// The share of a plane's variance that remains in its mean.
constexpr double kPlaneCorrelation = 0.3;
// The color channels of a picture resemble one another.
constexpr double kColorCorrelation = 0.8;

// Equally likely values of a Laplace variable (each with its negative), scaled to unit variance:
// activations of real pictures have heavier tails than normal ones.
constexpr std::array<double, 8> kTypicalValues{0.0505, 0.1626, 0.2934, 0.4506,
                                               0.6474, 0.9109, 1.3109, 2.1713};

double Clip01(double x) { return std::clamp(x, 0.0, 1.0); }

// The share of output positions at which each tap along one axis lies inside the input.
std::vector<double> Coverage(int64_t size, const Window& window) {
  const int64_t outputs = (window.input + 2 * window.pad - size) / window.stride + 1;
  std::vector<double> share(static_cast<size_t>(size));
  for (int64_t tap = 0; tap < size; ++tap) {
    int64_t inside = 0;
    for (int64_t o = 0; o < outputs; ++o) {
      const int64_t at = o * window.stride - window.pad + tap;
      if (at >= 0 && at < window.input) ++inside;
    }
    share[static_cast<size_t>(tap)] = static_cast<double>(inside) / static_cast<double>(outputs);
  }
  return share;
}

}  // namespace

double Apply(Act act, double x) {
  switch (act) {
    case Act::kNone:
      return x;
    case Act::kRelu:
      return std::max(x, 0.0);
    case Act::kRelu6:
      return std::clamp(x, 0.0, 6.0);
    case Act::kGelu:
      return x * Clip01(0.5 + 0.3 * x);
    case Act::kSilu:
    case Act::kHardSwish:
      return x * Clip01(0.5 + x / 6);
    case Act::kSigmoid:
      return Clip01(0.5 + 0.2 * x);
    case Act::kHardSigmoid:
      return Clip01(0.5 + x / 6);
  }
  return x;
}

Stats AfterConv(const Stats& x, const Kernel& kernel, int64_t groups, const Window& window) {
  const std::vector<double> axis = Coverage(kernel.size, window);
  std::vector<double> share;
  for (const double y : axis) {
    for (const double z : axis) share.push_back(y * z);
  }
  const auto out = static_cast<size_t>(kernel.out);
  const auto in = static_cast<size_t>(kernel.in);
  const auto taps = share.size();
  const size_t out_of_group = out / static_cast<size_t>(groups);
  const bool picture = groups == 1 && in == 3;
  Stats y{std::vector<double>(out), std::vector<double>(out)};
  const double* weight = kernel.weight.data();
  for (size_t o = 0; o < out; ++o) {
    double mean = kernel.bias[o];
    double apart = 0;     // variance if all values were independent
    double together = 0;  // variance if the values of one channel were equal
    double whole = 0;     // their common part over all channels
    for (size_t i = 0; i < in; ++i, weight += taps) {
      const size_t channel = o / out_of_group * in + i;
      double sum = 0;
      double squares = 0;
      for (size_t t = 0; t < taps; ++t) {
        sum += weight[t] * share[t];
        squares += weight[t] * weight[t] * share[t];
      }
      mean += sum * x.mean[channel];
      apart += squares * x.variance[channel];
      together += sum * sum * x.variance[channel];
      whole += sum * std::sqrt(x.variance[channel]);
    }
    if (picture) together += kColorCorrelation * (whole * whole - together);
    y.mean[o] = mean;
    y.variance[o] = apart + kSpatialCorrelation * (together - apart);
  }
  return y;
}

Stats AfterActivation(const Stats& x, Act act, double excess) {
  if (act == Act::kNone) return x;
  Stats y = x;
  constexpr double kCount = 2 * kTypicalValues.size();
  for (size_t c = 0; c < x.mean.size(); ++c) {
    const double deviation = std::sqrt(x.variance[c]);
    double sum = 0;
    double squares = 0;
    for (const double z : kTypicalValues) {
      for (const double value :
           {Apply(act, x.mean[c] + deviation * z), Apply(act, x.mean[c] - deviation * z)}) {
        sum += value;
        squares += value * value;
      }
    }
    y.mean[c] = sum / kCount;
    y.variance[c] = excess * (squares / kCount - y.mean[c] * y.mean[c]);
  }
  return y;
}

Stats AfterMaxPool(const Stats& x) {
  Stats y = x;
  for (size_t c = 0; c < x.mean.size(); ++c) y.mean[c] += 0.7 * std::sqrt(x.variance[c]);
  return y;
}

Stats AfterAdd(const Stats& a, const Stats& b) {
  Stats y = a;
  for (size_t c = 0; c < a.mean.size(); ++c) {
    y.mean[c] += b.mean[c];
    y.variance[c] += b.variance[c];
  }
  return y;
}

Stats AfterGate(const Stats& x, const Stats& gate) {
  Stats y = x;
  for (size_t c = 0; c < x.mean.size(); ++c) {
    y.mean[c] = x.mean[c] * gate.mean[c];
    const double squares =
        (x.variance[c] + x.mean[c] * x.mean[c]) * (gate.variance[c] + gate.mean[c] * gate.mean[c]);
    y.variance[c] = squares - y.mean[c] * y.mean[c];
  }
  return y;
}

Stats AfterPooling(const Stats& x) {
  Stats y = x;
  for (double& variance : y.variance) variance *= kPlaneCorrelation;
  return y;
}

}  // namespace anemone::zoo
