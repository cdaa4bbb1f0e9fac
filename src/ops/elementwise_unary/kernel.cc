#include <array>
#include <cmath>
#include <limits>

#include "exec/indexing.h"
#include "exec/integer_math.h"
#include "ops/ops.h"

namespace anemone::ops::elementwise_unary {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;

template <typename T, typename Fn>
void Map(const ConstTensor& x, const MutableTensor& out, Fn fn) {
  const T* in = x.As<T>();
  T* to = out.As<T>();
  const int64_t count = out.count();
  for (int64_t i = 0; i < count; ++i) to[i] = fn(in[i]);
}

// A function of float alone.
template <float (*kFn)(float)>
Status OfFloat(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  Map<float>(x, out, kFn);
  return {};
}

// A function of float or int32.
template <typename Op>
Status OfNumber(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  if (x.dtype == DType::kInt32) {
    Map<int32_t>(x, out, [](int32_t v) { return Op()(v); });
  } else {
    Map<float>(x, out, [](float v) { return Op()(v); });
  }
  return {};
}

float Acos(float x) { return std::acos(x); }
float Asin(float x) { return std::asin(x); }
float Atan(float x) { return std::atan(x); }
float Atanh(float x) { return std::atanh(x); }
float Ceil(float x) { return std::ceil(x); }
float Cos(float x) { return std::cos(x); }
float Cosh(float x) { return std::cosh(x); }
float Erf(float x) { return std::erf(x); }
float Exp(float x) { return std::exp(x); }
float Floor(float x) { return std::floor(x); }
// nearbyint rounds halves to even in the default rounding mode, the only one that we run in.
float Round(float x) { return std::nearbyint(x); }
float Sin(float x) { return std::sin(x); }
float Sinh(float x) { return std::sinh(x); }
float Sqrt(float x) { return std::sqrt(x); }
float Tan(float x) { return std::tan(x); }
float Tanh(float x) { return std::tanh(x); }

struct Abs {
  float operator()(float x) const { return std::fabs(x); }
  int32_t operator()(int32_t x) const { return x < 0 ? exec::WrapSub(0, x) : x; }
};
struct Exp2 {
  float operator()(float x) const { return std::exp2(x); }
  int32_t operator()(int32_t x) const { return exec::SaturatingCast<int32_t>(std::exp2(x)); }
};
struct Sign {
  float operator()(float x) const { return x > 0 ? 1.0f : x < 0 ? -1.0f : x; }
  int32_t operator()(int32_t x) const { return (x > 0) - (x < 0); }
};
struct Square {
  float operator()(float x) const { return x * x; }
  int32_t operator()(int32_t x) const { return exec::WrapMul(x, x); }
};

template <float (*kFn)(float)>
Status OfShifted(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(double epsilon, context.args().Float("epsilon"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const auto shift = static_cast<float>(epsilon);
  Map<float>(x, out, [=](float v) { return kFn(v + shift); });
  return {};
}
float Inverse(float x) { return 1.0f / x; }
float Log(float x) { return std::log(x); }
float Rsqrt(float x) { return 1.0f / std::sqrt(x); }

Status LogicalNot(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  Map<uint8_t>(x, out, [](uint8_t v) -> uint8_t { return v == 0; });
  return {};
}

Status Clip(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(double alpha, context.args().Float("alpha"));
  ANEMONE_ASSIGN(double beta, context.args().Float("beta"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const auto low = static_cast<float>(alpha);
  const auto high = static_cast<float>(beta);
  // The comparisons are false for NaN, so it stays NaN.
  Map<float>(x, out, [=](float v) {
    const float raised = v < low ? low : v;
    return raised > high ? high : raised;
  });
  return {};
}

Status Threshold(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  if (x.dtype == DType::kInt32) {
    ANEMONE_ASSIGN(int64_t alpha, context.args().Int("alpha"));
    const auto low = static_cast<int32_t>(alpha);
    Map<int32_t>(x, out, [=](int32_t v) { return v < low ? low : v; });
  } else {
    ANEMONE_ASSIGN(double alpha, context.args().Float("alpha"));
    const auto low = static_cast<float>(alpha);
    Map<float>(x, out, [=](float v) { return v < low ? low : v; });
  }
  return {};
}

template <typename To, typename From>
To Convert(From value) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return exec::SaturatingCast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

Status Cast(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const int64_t count = out.count();
  return exec::DispatchDType(x.dtype, [&](auto from) -> Status {
    using From = decltype(from);
    const From* in = x.As<From>();
    if (out.dtype == DType::kBool) {
      for (int64_t i = 0; i < count; ++i) out.As<uint8_t>()[i] = in[i] != 0;
      return {};
    }
    return exec::DispatchDType(out.dtype, [&](auto to) -> Status {
      using To = decltype(to);
      for (int64_t i = 0; i < count; ++i) out.As<To>()[i] = Convert<To>(in[i]);
      return {};
    });
  });
}

constexpr std::array<KernelEntry, 27> kKernels{{
    {"abs", OfNumber<Abs>},          {"acos", OfFloat<Acos>},
    {"asin", OfFloat<Asin>},         {"atan", OfFloat<Atan>},
    {"atanh", OfFloat<Atanh>},       {"cast", Cast},
    {"ceil", OfFloat<Ceil>},         {"clip", Clip},
    {"cos", OfFloat<Cos>},           {"cosh", OfFloat<Cosh>},
    {"erf", OfFloat<Erf>},           {"exp", OfFloat<Exp>},
    {"exp2", OfNumber<Exp2>},        {"floor", OfFloat<Floor>},
    {"inverse", OfShifted<Inverse>}, {"log", OfShifted<Log>},
    {"logical_not", LogicalNot},     {"round", OfFloat<Round>},
    {"rsqrt", OfShifted<Rsqrt>},     {"sign", OfNumber<Sign>},
    {"sin", OfFloat<Sin>},           {"sinh", OfFloat<Sinh>},
    {"sqrt", OfFloat<Sqrt>},         {"square", OfNumber<Square>},
    {"tan", OfFloat<Tan>},           {"tanh", OfFloat<Tanh>},
    {"threshold", Threshold},
}};

}  // namespace

std::span<const KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::elementwise_unary
