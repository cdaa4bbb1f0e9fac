#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "exec/indexing.h"
#include "exec/integer_math.h"
#include "ops/ops.h"

namespace anemone::ops::reduction {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;
using ir::Shape;

// The walk of a reduction: for each element of x in order, the element of the output to which
// it contributes.
struct Walk {
  exec::Strides in;
  exec::Strides out;
  int64_t count_per_output = 1;
};

Result<Walk> MakeWalk(KernelContext& context, const Shape& shape) {
  std::vector<bool> reduced(shape.size(), true);
  if (context.args().Has("axes")) {
    ANEMONE_ASSIGN(std::vector<int64_t> axes, context.args().Ints("axes"));
    reduced.assign(shape.size(), false);
    for (int64_t axis : axes) {
      reduced[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis)] =
          true;
    }
  }
  Walk walk{exec::RowMajorStrides(shape), exec::Strides(shape.size(), 0)};
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (reduced[i]) {
      walk.count_per_output *= shape[i];
    } else {
      walk.out[i] = step;
      step *= shape[i];
    }
  }
  return walk;
}

// A reducer folds elements into an accumulator (double for floats, int64 for integers) and turns
// that into the result.
struct Sum {
  template <typename A>
  static A First() {
    return 0;
  }
  static void Fold(double& sum, double x) { sum += x; }
  static void Fold(int64_t& sum, int64_t x) { sum = exec::WrapAdd(sum, x); }
  static double Finish(double sum, int64_t) { return sum; }
  static int64_t Finish(int64_t sum, int64_t) { return sum; }
};
struct Mean : Sum {
  static double Finish(double sum, int64_t count) { return sum / static_cast<double>(count); }
  static int64_t Finish(int64_t sum, int64_t count) { return exec::TruncDiv(sum, count); }
};
struct LogSum : Sum {
  static double Finish(double sum, int64_t) { return std::log(sum); }
  static int64_t Finish(int64_t sum, int64_t) {
    return exec::SaturatingCast<int32_t>(std::log(static_cast<double>(sum)));
  }
};
struct L1Norm : Sum {
  static void Fold(double& sum, double x) { sum += std::fabs(x); }
  static void Fold(int64_t& sum, int64_t x) { sum = exec::WrapAdd(sum, x < 0 ? -x : x); }
};
struct SumSquare : Sum {
  static void Fold(double& sum, double x) { sum += x * x; }
  static void Fold(int64_t& sum, int64_t x) { sum = exec::WrapAdd(sum, x * x); }
};
struct L2Norm : SumSquare {
  static double Finish(double sum, int64_t) { return std::sqrt(sum); }
  static int64_t Finish(int64_t sum, int64_t) {
    return exec::SaturatingCast<int32_t>(std::sqrt(static_cast<double>(sum)));
  }
};
struct Prod : Sum {
  template <typename A>
  static A First() {
    return 1;
  }
  static void Fold(double& product, double x) { product *= x; }
  static void Fold(int64_t& product, int64_t x) { product = exec::WrapMul(product, x); }
};
struct Max : Sum {
  template <typename A>
  static A First() {
    if constexpr (std::is_floating_point_v<A>) return -std::numeric_limits<A>::infinity();
    return std::numeric_limits<int32_t>::min();
  }
  template <typename A>
  static void Fold(A& best, A x) {
    if (x > best || x != x) best = x;  // NaN wins, and nothing is above it
  }
};
struct Min : Sum {
  template <typename A>
  static A First() {
    if constexpr (std::is_floating_point_v<A>) return std::numeric_limits<A>::infinity();
    return std::numeric_limits<int32_t>::max();
  }
  template <typename A>
  static void Fold(A& best, A x) {
    if (x < best || x != x) best = x;
  }
};

template <typename Reducer, typename T, typename A>
void Fold(const ConstTensor& x, const Walk& walk, const MutableTensor& out) {
  std::vector<A> totals(static_cast<size_t>(out.count()), Reducer::template First<A>());
  const T* in = x.As<T>();
  exec::ForEachOffset<2>(x.shape, {walk.in, walk.out}, [&](const auto& at) {
    Reducer::Fold(totals[static_cast<size_t>(at[1])], static_cast<A>(in[at[0]]));
  });
  T* to = out.As<T>();
  for (A total : totals) *to++ = static_cast<T>(Reducer::Finish(total, walk.count_per_output));
}

template <typename Reducer>
Status Reduce(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(Walk walk, MakeWalk(context, x.shape));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  if (x.dtype == DType::kInt32) {
    Fold<Reducer, int32_t, int64_t>(x, walk, out);
  } else {
    Fold<Reducer, float, double>(x, walk, out);
  }
  return {};
}

// log(sum(exp(x))) = m + log(sum(exp(x - m))) with m the maximum, so that no exponential overflows.
template <typename T>
void LogSumExp(const ConstTensor& x, const Walk& walk, const MutableTensor& out) {
  const auto size = static_cast<size_t>(out.count());
  std::vector<double> highest(size, -std::numeric_limits<double>::infinity());
  std::vector<double> totals(size, 0.0);
  const T* in = x.As<T>();
  exec::ForEachOffset<2>(x.shape, {walk.in, walk.out}, [&](const auto& at) {
    Max::Fold(highest[static_cast<size_t>(at[1])], static_cast<double>(in[at[0]]));
  });
  for (double& m : highest) {
    if (std::isinf(m)) m = 0;  // inf - inf would be NaN
  }
  exec::ForEachOffset<2>(x.shape, {walk.in, walk.out}, [&](const auto& at) {
    const auto to = static_cast<size_t>(at[1]);
    totals[to] += std::exp(static_cast<double>(in[at[0]]) - highest[to]);
  });
  T* to = out.As<T>();
  for (size_t i = 0; i < size; ++i) {
    const double result = highest[i] + std::log(totals[i]);
    if constexpr (std::is_integral_v<T>) {
      to[i] = exec::SaturatingCast<T>(result);
    } else {
      to[i] = static_cast<T>(result);
    }
  }
}

Status ReduceLogSumExp(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(Walk walk, MakeWalk(context, x.shape));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  if (x.dtype == DType::kInt32) {
    LogSumExp<int32_t>(x, walk, out);
  } else {
    LogSumExp<float>(x, walk, out);
  }
  return {};
}

// The first element that no other beats; the first NaN if there is one.
template <bool kLargest>
Status ReduceArg(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const auto view =
      exec::ViewAtAxis(x.shape, static_cast<size_t>(axis < 0 ? axis + x.rank() : axis));
  return exec::DispatchDType(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t n = 0; n < view.inner; ++n) {
        const T* row = x.As<T>() + o * view.size * view.inner + n;
        int64_t best = 0;
        for (int64_t i = 1; i < view.size; ++i) {
          const T challenger = row[i * view.inner];
          const T champion = row[best * view.inner];
          if (champion != champion) break;
          if (challenger != challenger ||
              (kLargest ? challenger > champion : challenger < champion)) {
            best = i;
          }
        }
        const int64_t to = o * view.inner + n;
        if (out.dtype == DType::kUInt16) {
          out.As<uint16_t>()[to] = static_cast<uint16_t>(best);
        } else {
          out.As<int32_t>()[to] = static_cast<int32_t>(best);
        }
      }
    }
    return {};
  });
}

constexpr std::array<KernelEntry, 12> kKernels{{
    {"reduce_argmax", ReduceArg<true>},
    {"reduce_argmin", ReduceArg<false>},
    {"reduce_l1_norm", Reduce<L1Norm>},
    {"reduce_l2_norm", Reduce<L2Norm>},
    {"reduce_log_sum", Reduce<LogSum>},
    {"reduce_log_sum_exp", ReduceLogSumExp},
    {"reduce_max", Reduce<Max>},
    {"reduce_mean", Reduce<Mean>},
    {"reduce_min", Reduce<Min>},
    {"reduce_prod", Reduce<Prod>},
    {"reduce_sum", Reduce<Sum>},
    {"reduce_sum_square", Reduce<SumSquare>},
}};

}  // namespace

std::span<const KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::reduction
