// Activation functions: reference kernels. NaN stays NaN in all of them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "exec/indexing.h"
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::activation {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::MutableTensor;

float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }
// log(1 + e^x) without overflow.
float Softplus(float x) { return std::log1p(std::exp(-std::fabs(x))) + (x < 0 ? 0 : x); }

float Relu(float x) { return x < 0 ? 0 : x; }
float Relu6(float x) { return x < 0 ? 0 : x > 6 ? 6 : x; }
// 0 at minus infinity, where the product would be NaN.
float Silu(float x) { return x == -std::numeric_limits<float>::infinity() ? 0 : x * Sigmoid(x); }
float Softsign(float x) { return std::isinf(x) ? std::copysign(1.0f, x) : x / (1 + std::fabs(x)); }

// erfc keeps its precision where 1 + erf would cancel.
float GeluExact(float x) { return 0.5f * x * std::erfc(-x * 0.70710678118654752f); }
float GeluTanh(float x) {
  const float inner = 0.79788456080286536f * (x + 0.044715f * x * x * x);
  return 0.5f * x * (1 + std::tanh(inner));
}
float GeluSigmoid(float x) { return x * Sigmoid(1.702f * x); }

// Functions with parameters.
float ClampedRelu(float x, float alpha, float beta) {
  const float value = x < 0 ? alpha * x : x;
  return value > beta ? beta : value;
}
float LinearActivation(float x, float alpha, float beta) { return alpha * x + beta; }
float ScaledTanh(float x, float alpha, float beta) { return alpha * std::tanh(beta * x); }
float SigmoidHard(float x, float alpha, float beta) {
  const float value = alpha * x + beta;
  return value < 0 ? 0 : value > 1 ? 1 : value;
}
float SoftplusScaled(float x, float alpha, float beta) { return alpha * Softplus(beta * x); }
float Elu(float x, float alpha) { return x < 0 ? alpha * std::expm1(x) : x; }
float LeakyRelu(float x, float alpha) { return x < 0 ? alpha * x : x; }
float ThresholdedRelu(float x, float alpha) { return x < alpha ? 0 : x; }

template <typename Fn>
Status Map(KernelContext& context, Fn fn) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const float* in = x.As<float>();
  std::transform(in, in + out.count(), out.As<float>(), fn);
  return {};
}

template <float (*kFn)(float)>
Status Plain(KernelContext& context) {
  return Map(context, kFn);
}

Result<float> Scalar(KernelContext& context, std::string_view param) {
  ANEMONE_ASSIGN(const ConstTensor tensor, context.Input(param));
  return *tensor.As<float>();
}

template <float (*kFn)(float, float)>
Status WithAlpha(KernelContext& context) {
  ANEMONE_ASSIGN(const float alpha, Scalar(context, "alpha"));
  return Map(context, [=](float x) { return kFn(x, alpha); });
}

template <float (*kFn)(float, float, float)>
Status WithAlphaBeta(KernelContext& context) {
  ANEMONE_ASSIGN(const float alpha, Scalar(context, "alpha"));
  ANEMONE_ASSIGN(const float beta, Scalar(context, "beta"));
  return Map(context, [=](float x) { return kFn(x, alpha, beta); });
}

// Calls fn(x, c) for each element and its channel, dimension 1.
template <typename Fn>
Status MapPerChannel(KernelContext& context, Fn fn) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const exec::AxisView view = exec::ViewAtAxis(x.shape, 1);
  const float* in = x.As<float>();
  float* result = out.As<float>();
  for (int64_t n = 0; n < view.outer; ++n) {
    for (int64_t c = 0; c < view.size; ++c) {
      for (int64_t i = 0; i < view.inner; ++i) *result++ = fn(*in++, c);
    }
  }
  return {};
}

Status PRelu(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor alpha, context.Input("alpha"));
  return MapPerChannel(context,
                       [&](float x, int64_t c) { return LeakyRelu(x, alpha.As<float>()[c]); });
}

Status SoftplusParametric(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor alpha, context.Input("alpha"));
  ANEMONE_ASSIGN(const ConstTensor beta, context.Input("beta"));
  return MapPerChannel(context, [&](float x, int64_t c) {
    return SoftplusScaled(x, alpha.As<float>()[c], beta.As<float>()[c]);
  });
}

Status Gelu(KernelContext& context) {
  ANEMONE_ASSIGN(const std::string mode, context.args().String("mode"));
  if (mode == "TANH_APPROXIMATION") return Map(context, GeluTanh);
  if (mode == "SIGMOID_APPROXIMATION") return Map(context, GeluSigmoid);
  return Map(context, GeluExact);
}

Status Softmax(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis("softmax_c1", axis, x.rank()));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const exec::AxisView view = exec::ViewAtAxis(x.shape, static_cast<size_t>(axis));
  std::vector<double> powers(static_cast<size_t>(view.size));
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t n = 0; n < view.inner; ++n) {
      const int64_t start = o * view.size * view.inner + n;
      const float* in = x.As<float>() + start;
      float* result = out.As<float>() + start;
      float largest = -std::numeric_limits<float>::infinity();
      for (int64_t i = 0; i < view.size; ++i) largest = std::max(largest, in[i * view.inner]);
      double sum = 0;
      for (int64_t i = 0; i < view.size; ++i) {
        const double power = std::exp(static_cast<double>(in[i * view.inner]) - largest);
        powers[static_cast<size_t>(i)] = power;
        sum += power;
      }
      for (int64_t i = 0; i < view.size; ++i) {
        result[i * view.inner] = static_cast<float>(powers[static_cast<size_t>(i)] / sum);
      }
    }
  }
  return {};
}

constexpr exec::KernelEntry kKernels[] = {
    {"clamped_relu", WithAlphaBeta<ClampedRelu>},
    {"elu", WithAlpha<Elu>},
    {"gelu", Gelu},
    {"leaky_relu", WithAlpha<LeakyRelu>},
    {"linear_activation", WithAlphaBeta<LinearActivation>},
    {"prelu", PRelu},
    {"relu", Plain<Relu>},
    {"relu6", Plain<Relu6>},
    {"scaled_tanh", WithAlphaBeta<ScaledTanh>},
    {"sigmoid", Plain<Sigmoid>},
    {"sigmoid_hard", WithAlphaBeta<SigmoidHard>},
    {"silu", Plain<Silu>},
    {"softmax", Softmax},
    {"softplus", Plain<Softplus>},
    {"softplus_parametric", SoftplusParametric},
    {"softsign", Plain<Softsign>},
    {"thresholded_relu", WithAlpha<ThresholdedRelu>},
};

}  // namespace

std::span<const exec::KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::activation
