// batch_norm, instance_norm, l2_norm, layer_norm and local_response_norm: reference kernels. All
// sums are in double, and the variance is the mean of squared distances from the mean, so that
// large offsets do not cancel.
#include <algorithm>
#include <cmath>

#include "exec/indexing.h"
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::normalization {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::MutableTensor;

// Optional per-channel values: `fallback` everywhere when absent.
struct Values {
  const float* data = nullptr;
  double fallback = 0;
  double operator[](int64_t i) const { return data ? data[i] : fallback; }
};
Result<Values> ReadValues(KernelContext& context, std::string_view param, double fallback) {
  if (!context.Has(param)) return Values{nullptr, fallback};
  ANEMONE_ASSIGN(const ConstTensor tensor, context.Input(param));
  return Values{tensor.As<float>(), fallback};
}

Result<double> ReadScalar(KernelContext& context, std::string_view param) {
  ANEMONE_ASSIGN(const ConstTensor tensor, context.Input(param));
  return static_cast<double>(*tensor.As<float>());
}

// 1 / sqrt(power + epsilon). A constant input without epsilon (1e-12 is 0 in half precision) gives
// 0, because x - mean is 0 there.
double InverseRoot(double power, double epsilon) {
  const double sum = power + epsilon;
  return sum == 0 ? 0 : 1 / std::sqrt(sum);
}

struct Moments {
  double mean = 0, variance = 0;
};
// Of `count` elements, element i being `at(i)`.
template <typename At>
Moments MomentsOf(int64_t count, At&& at) {
  Moments moments;
  for (int64_t i = 0; i < count; ++i) moments.mean += at(i);
  moments.mean /= static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) {
    const double distance = at(i) - moments.mean;
    moments.variance += distance * distance;
  }
  moments.variance /= static_cast<double>(count);
  return moments;
}

Status BatchNorm(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const Values mean, ReadValues(context, "mean", 0));
  ANEMONE_ASSIGN(const Values variance, ReadValues(context, "variance", 1));
  ANEMONE_ASSIGN(const Values gamma, ReadValues(context, "gamma", 1));
  ANEMONE_ASSIGN(const Values beta, ReadValues(context, "beta", 0));
  ANEMONE_ASSIGN(const double epsilon, ReadScalar(context, "epsilon"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const exec::AxisView view = exec::ViewAtAxis(x.shape, 1);
  const float* in = x.As<float>();
  float* result = out.As<float>();
  for (int64_t n = 0; n < view.outer; ++n) {
    for (int64_t c = 0; c < view.size; ++c) {
      const double scale = gamma[c] * InverseRoot(variance[c], epsilon);
      for (int64_t i = 0; i < view.inner; ++i) {
        *result++ = static_cast<float>((*in++ - mean[c]) * scale + beta[c]);
      }
    }
  }
  return {};
}

Status InstanceNorm(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const Values gamma, ReadValues(context, "gamma", 1));
  ANEMONE_ASSIGN(const Values beta, ReadValues(context, "beta", 0));
  ANEMONE_ASSIGN(const double epsilon, ReadScalar(context, "epsilon"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const exec::AxisView view = exec::ViewAtAxis(x.shape, 1);
  const float* in = x.As<float>();
  float* result = out.As<float>();
  for (int64_t n = 0; n < view.outer; ++n) {
    for (int64_t c = 0; c < view.size; ++c, in += view.inner) {
      const Moments moments = MomentsOf(view.inner, [&](int64_t i) { return in[i]; });
      const double scale = gamma[c] * InverseRoot(moments.variance, epsilon);
      for (int64_t i = 0; i < view.inner; ++i) {
        *result++ = static_cast<float>((in[i] - moments.mean) * scale + beta[c]);
      }
    }
  }
  return {};
}

Status L2Norm(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const double epsilon, ReadScalar(context, "epsilon"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const size_t rank = x.shape.size();
  const int64_t block = x.shape[rank - 3] * x.shape[rank - 2] * x.shape[rank - 1];
  const int64_t blocks = block == 0 ? 0 : x.count() / block;
  const float* in = x.As<float>();
  float* result = out.As<float>();
  for (int64_t b = 0; b < blocks; ++b, in += block) {
    double power = 0;
    for (int64_t i = 0; i < block; ++i) power += static_cast<double>(in[i]) * in[i];
    const double scale = InverseRoot(power, epsilon);
    for (int64_t i = 0; i < block; ++i) *result++ = static_cast<float>(in[i] * scale);
  }
  return {};
}

Status LayerNorm(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(std::vector<int64_t> axes, context.args().Ints("axes"));
  ANEMONE_ASSIGN(axes, NormalizeAxes("layer_norm_c1", std::move(axes), x.rank()));
  ANEMONE_ASSIGN(const Values gamma, ReadValues(context, "gamma", 1));
  ANEMONE_ASSIGN(const Values beta, ReadValues(context, "beta", 0));
  ANEMONE_ASSIGN(const double epsilon, ReadScalar(context, "epsilon"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());

  // Dimensions and strides of x, split into those that are normalized together and the others.
  const exec::Strides strides = exec::RowMajorStrides(x.shape);
  exec::Shape inner_shape, outer_shape;
  exec::Strides inner_strides, outer_strides;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    const bool inner = std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
    (inner ? inner_shape : outer_shape).push_back(x.shape[d]);
    (inner ? inner_strides : outer_strides).push_back(strides[d]);
  }
  // The offsets of the elements of one group, in the order of gamma and beta.
  std::vector<int64_t> places;
  exec::ForEachOffset<1>(inner_shape, {inner_strides}, [&](const std::array<int64_t, 1>& offsets) {
    places.push_back(offsets[0]);
  });

  exec::ForEachOffset<1>(outer_shape, {outer_strides}, [&](const std::array<int64_t, 1>& offsets) {
    const float* in = x.As<float>() + offsets[0];
    float* result = out.As<float>() + offsets[0];
    const auto count = static_cast<int64_t>(places.size());
    const Moments moments =
        MomentsOf(count, [&](int64_t i) { return in[places[static_cast<size_t>(i)]]; });
    const double scale = InverseRoot(moments.variance, epsilon);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = places[static_cast<size_t>(i)];
      result[at] = static_cast<float>((in[at] - moments.mean) * scale * gamma[i] + beta[i]);
    }
  });
  return {};
}

Status LocalResponseNorm(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const int64_t size, context.args().Int("size"));
  ANEMONE_ASSIGN(const double alpha, ReadScalar(context, "alpha"));
  ANEMONE_ASSIGN(const double beta, ReadScalar(context, "beta"));
  ANEMONE_ASSIGN(const double k, ReadScalar(context, "k"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  // Core ML counts from the end: the channels of a tensor of rank 4, the batch of one of rank 3.
  const exec::AxisView view = exec::ViewAtAxis(x.shape, x.shape.size() - 3);
  for (int64_t n = 0; n < view.outer; ++n) {
    const float* in = x.As<float>() + n * view.size * view.inner;
    float* result = out.As<float>() + n * view.size * view.inner;
    for (int64_t c = 0; c < view.size; ++c) {
      const int64_t first = std::max<int64_t>(0, c - size / 2);
      const int64_t last = std::min(view.size - 1, c + (size - 1) / 2);
      for (int64_t i = 0; i < view.inner; ++i) {
        double power = 0;
        for (int64_t j = first; j <= last; ++j) {
          const double neighbor = in[j * view.inner + i];
          power += neighbor * neighbor;
        }
        const double divisor = std::pow(k + alpha * power / static_cast<double>(size), beta);
        result[c * view.inner + i] = static_cast<float>(in[c * view.inner + i] / divisor);
      }
    }
  }
  return {};
}

constexpr exec::KernelEntry kKernels[] = {{"batch_norm", BatchNorm},
                                          {"instance_norm", InstanceNorm},
                                          {"l2_norm", L2Norm},
                                          {"layer_norm", LayerNorm},
                                          {"local_response_norm", LocalResponseNorm}};

}  // namespace

std::span<const exec::KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::normalization
