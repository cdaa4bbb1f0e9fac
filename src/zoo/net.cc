#include "zoo/net.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace anemone::zoo {
namespace {

using ir::Literal;
using ir::Shape;
using ir::Value;

// With fewer inputs (a picture), too little is left without their common level.
constexpr int64_t kBalancedFrom = 8;
// Half the width of a uniform distribution of variance 1.
constexpr double kUniformSpread = 1.7320508075688772;
constexpr double kVarianceFloor = 0.1;  // of the mean over the channels
constexpr double kDepthwiseCenter = 0.8;
constexpr double kDepthwiseRest = 0.6;
// The deviation of the logits over the classes: what EfficientNet-Lite0 with its published weights
// has on standard-normal inputs (on photographs 1.08; models/README.md).
constexpr double kLogitSpread = 1.45;

Literal ToLiteral(const std::vector<double>& values, Shape shape) {
  return Literal::Fp32s(std::vector<float>(values.begin(), values.end()), std::move(shape));
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// A channel predicted to be almost constant must not be blown up when it does vary.
std::vector<double> WithFloor(std::vector<double> variances) {
  const double floor = kVarianceFloor * Mean(variances);
  for (double& variance : variances) variance += floor;
  return variances;
}

std::vector<double> Negated(std::vector<double> values) {
  for (double& value : values) value = -value;
  return values;
}

// Seeded weights of deviation `deviation`. A depthwise kernel passes most of its channel through
// (equally in all channels, which keeps a common level) and adds some of the neighborhood.
Fill ConvFill(const Kernel& kernel, double deviation) {
  Fill fill = Fill::Uniform(0.0, kUniformSpread * deviation);
  if (kernel.in >= kBalancedFrom) fill.balanced = true;
  if (kernel.in == 1) {
    const auto taps = static_cast<size_t>(kernel.taps());
    fill.center.assign(static_cast<size_t>(kernel.out) * taps, 0.0);
    for (size_t i = taps / 2; i < fill.center.size(); i += taps) fill.center[i] = kDepthwiseCenter;
    fill.spread *= kDepthwiseRest;
  }
  return fill;
}

struct Padding {
  int64_t before = 0;
  int64_t after = 0;
  int64_t total() const { return before + after; }
};

Padding PaddingOf(int64_t input, int64_t size, int64_t stride, bool same) {
  if (!same) return {size / 2, size / 2};
  const int64_t outputs = (input + stride - 1) / stride;
  const int64_t total = std::max<int64_t>(0, (outputs - 1) * stride + size - input);
  return {total / 2, total - total / 2};
}

}  // namespace

Feature Net::Image(int64_t size, int64_t trial_size) {
  Feature x{builder_->Input("image", ir::Type::Tensor(DType::kFp32, {1, 3, size, size})),
            3,
            size,
            {},
            {}};
  if (seeded()) {
    x.stats = {std::vector<double>(3, 0.0), std::vector<double>(3, 1.0)};
    x.trial = TrialPicture(3, trial_size == 0 ? size : trial_size, weights_->seed());
  }
  return x;
}

BatchNorm Net::ReadBatchNorm(const Stats& before, const std::string& norm, int64_t channels,
                             double epsilon, double gain) {
  const Shape shape{channels};
  const Fill mean = seeded() ? Fill::Around(before.mean, 0.05) : Fill{};
  const Fill variance = seeded() ? Fill::Around(WithFloor(before.variance), 0.0) : Fill{};
  BatchNorm read;
  read.gamma = weights_->Take(norm + ".weight", shape, Fill::Uniform(gain, 0.2 * gain));
  read.beta = weights_->Take(norm + ".bias", shape, Fill::Uniform(0.0, 0.2 * gain));
  read.mean = weights_->Take(norm + ".running_mean", shape, mean);
  read.variance = weights_->Take(norm + ".running_var", shape, variance);
  read.epsilon = epsilon;
  return read;
}

Kernel Net::ReadConv(const Feature& x, const ConvSpec& spec) {
  Kernel kernel{spec.out, x.channels / spec.groups, spec.size, {}, {}};
  const Shape shape{kernel.out, kernel.in, kernel.size, kernel.size};
  const auto fan_in = static_cast<double>(kernel.in * kernel.taps());
  const Window window{x.size, spec.stride, spec.size / 2};
  const bool normalized = !spec.norm.empty();
  double deviation = 1 / std::sqrt(fan_in);
  if (seeded() && !normalized) deviation *= spec.gain / std::sqrt(Mean(x.stats.variance));
  const Fill fill = seeded() ? ConvFill(kernel, deviation) : Fill{};
  kernel.weight = weights_->Take(spec.conv + ".weight", shape, fill);
  kernel.bias.assign(static_cast<size_t>(spec.out), 0.0);
  Stats after;
  if (seeded()) after = AfterConv(x.stats, kernel, spec.groups, window);
  if (normalized) {
    return Fold(std::move(kernel),
                ReadBatchNorm(after, spec.norm, spec.out, spec.epsilon, spec.gain));
  }
  // Without normalization the bias centers the output.
  kernel.bias = weights_->Take(spec.conv + ".bias", {spec.out},
                               Fill::Around(Negated(after.mean), 0.2 * spec.gain));
  return kernel;
}

Kernel Net::ReadNorm(const Feature& x, const std::string& norm, int64_t size, int64_t groups,
                     double gain) {
  return Fold(Identity(x.channels, x.channels / groups, size),
              ReadBatchNorm(x.stats, norm, x.channels, 1e-5, gain));
}

std::vector<double> Net::ReadScale(const std::string& name, const Shape& shape, double center) {
  return weights_->Take(name, shape, Fill::Uniform(center, 0.2 * center));
}

Feature Net::Activation(Feature x, Act act, const std::string& name) {
  ir::Builder& b = *builder_;
  switch (act) {
    case Act::kNone:
      return x;
    case Act::kRelu:
      x.value = b.Op("relu", {{"x", x.value}}, name + "_relu");
      break;
    case Act::kRelu6:
      x.value = b.Op("relu6", {{"x", x.value}}, name + "_relu6");
      break;
    case Act::kSilu:
      x.value = b.Op("silu", {{"x", x.value}}, name + "_silu");
      break;
    case Act::kGelu:
      x.value = b.Op("gelu", {{"x", x.value}, {"mode", Literal::String("EXACT")}}, name + "_gelu");
      break;
    case Act::kSigmoid:
      x.value = b.Op("sigmoid", {{"x", x.value}}, name + "_sigmoid");
      break;
    case Act::kHardSigmoid:
    case Act::kHardSwish: {
      Value* gate = b.Op(
          "sigmoid_hard",
          {{"x", x.value}, {"alpha", Literal::Fp32(1.0f / 6.0f)}, {"beta", Literal::Fp32(0.5f)}},
          name + "_hard_sigmoid");
      x.value = act == Act::kHardSigmoid
                    ? gate
                    : b.Op("mul", {{"x", x.value}, {"y", gate}}, name + "_hard_swish");
      break;
    }
  }
  if (seeded()) {
    x.stats = AfterActivation(x.stats, act, variance_excess_);
    x.trial = TrialActivation(std::move(x.trial), act);
  }
  return x;
}

Feature Net::Conv(const Feature& x, const Kernel& kernel, int64_t stride, int64_t groups, Act act,
                  const std::string& name, bool same) {
  ir::Builder& b = *builder_;
  const Padding pad = PaddingOf(x.size, kernel.size, stride, same);
  Value* weight =
      b.Const(ToLiteral(kernel.weight, {kernel.out, kernel.in, kernel.size, kernel.size}),
              name + "_weight");
  Value* bias = b.Const(ToLiteral(kernel.bias, {kernel.out}), name + "_bias");
  Feature y{b.Op("conv",
                 {{"x", x.value},
                  {"weight", weight},
                  {"bias", bias},
                  {"strides", ir::Ints({stride, stride})},
                  {"pad_type", Literal::String(pad.total() == 0 ? "valid" : "custom")},
                  {"pad", ir::Ints({pad.before, pad.after, pad.before, pad.after})},
                  {"dilations", ir::Ints({1, 1})},
                  {"groups", Literal::Int32(static_cast<int32_t>(groups))}},
                 name),
            kernel.out,
            (x.size + pad.total() - kernel.size) / stride + 1,
            {},
            {}};
  if (seeded()) {
    y.stats = AfterConv(x.stats, kernel, groups, {x.size, stride, pad.before});
    y.trial = TrialConv(x.trial, kernel, groups, stride, pad.before, pad.total());
  }
  return Activation(std::move(y), act, name);
}

Feature Net::Conv(const Feature& x, const ConvSpec& spec, Act act) {
  return Conv(x, ReadConv(x, spec), spec.stride, spec.groups, act, spec.conv, spec.same);
}

Feature Net::Add(const Feature& a, const Feature& b, Act act, const std::string& name) {
  Feature y = a;
  y.value = builder_->Op("add", {{"x", a.value}, {"y", b.value}}, name + "_add");
  if (seeded()) {
    y.stats = AfterAdd(a.stats, b.stats);
    y.trial = TrialAdd(a.trial, b.trial);
  }
  return Activation(std::move(y), act, name);
}

Feature Net::MaxPool3x3(const Feature& x, const std::string& name) {
  Feature y = x;
  y.value = builder_->Op("max_pool",
                         {{"x", x.value},
                          {"kernel_sizes", ir::Ints({3, 3})},
                          {"strides", ir::Ints({2, 2})},
                          {"pad_type", Literal::String("custom")},
                          {"pad", ir::Ints({1, 1, 1, 1})},
                          {"ceil_mode", Literal::Bool(false)}},
                         name);
  y.size = (x.size - 1) / 2 + 1;
  if (seeded()) {
    y.stats = AfterMaxPool(x.stats);
    y.trial = TrialMaxPool(x.trial);
  }
  return y;
}

Feature Net::SqueezeExcite(const Feature& x, const std::string& reduce, const std::string& expand,
                           int64_t reduced, Act gate, const std::string& name, Act inner,
                           double gate_gain) {
  ir::Builder& b = *builder_;
  Feature pooled = x;
  pooled.value =
      b.Op("reduce_mean",
           {{"x", x.value}, {"axes", ir::Ints({2, 3})}, {"keep_dims", Literal::Bool(true)}},
           name + "_mean");
  pooled.size = 1;
  if (seeded()) {
    pooled.stats = AfterPooling(x.stats);
    pooled.trial = TrialMean(x.trial);
  }
  Feature factor = Conv(pooled, {.conv = reduce, .out = reduced}, inner);
  factor = Conv(factor, {.conv = expand, .out = x.channels, .gain = gate_gain}, gate);
  Feature y = x;
  y.value = b.Op("mul", {{"x", x.value}, {"y", factor.value}}, name + "_scaled");
  if (seeded()) {
    y.stats = AfterGate(x.stats, factor.stats);
    y.trial = TrialScale(x.trial, factor.trial);
  }
  return y;
}

Feature Net::GlobalPool(const Feature& x, const std::string& name) {
  Feature y = x;
  y.value = builder_->Op(
      "reduce_mean",
      {{"x", x.value}, {"axes", ir::Ints({2, 3})}, {"keep_dims", Literal::Bool(false)}}, name);
  y.size = 1;
  if (seeded()) {
    y.stats = AfterPooling(x.stats);
    y.trial = TrialMean(x.trial);
  }
  return y;
}

Feature Net::Linear(const Feature& x, const std::string& name, const Shape& shape, double gain,
                    Act act) {
  ir::Builder& b = *builder_;
  Kernel kernel{shape[0], shape[1], 1, {}, {}};
  // Nothing centers what goes in: a trained classifier does not take the common part of the pooled
  // features out either.
  double deviation = gain;
  if (seeded()) deviation /= std::sqrt(static_cast<double>(kernel.in) * MeanSquare(x.trial));
  kernel.weight =
      weights_->Take(name + ".weight", shape, Fill::Uniform(0.0, kUniformSpread * deviation));
  kernel.bias = weights_->Take(name + ".bias", {kernel.out}, Fill::Uniform(0.0, 0.1 * gain));
  Value* weight = b.Const(ToLiteral(kernel.weight, {kernel.out, kernel.in}), name + "_weight");
  Value* bias = b.Const(ToLiteral(kernel.bias, {kernel.out}), name + "_bias");
  const bool last = act == Act::kNone;
  Feature y{b.Op("linear", {{"x", x.value}, {"weight", weight}, {"bias", bias}},
                 last ? std::string("logits") : name),
            kernel.out,
            1,
            {},
            {}};
  if (seeded()) {
    y.stats = AfterConv(x.stats, kernel, 1, {});
    y.trial = TrialConv(x.trial, kernel, 1, 1, 0, 0);
  }
  return Activation(std::move(y), act, name);
}

void Net::Classify(const Feature& x, const std::string& name, const Shape& shape) {
  const Feature logits = Linear(x, name, shape, kLogitSpread, Act::kNone);
  Value* probabilities =
      builder_->Op("softmax", {{"x", logits.value}, {"axis", Literal::Int32(-1)}}, "probabilities");
  builder_->SetOutputs({logits.value, probabilities});
}

}  // namespace anemone::zoo
