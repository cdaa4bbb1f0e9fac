// linear, matmul, einsum and scaled_dot_product_attention: reference kernels over one strided
// matrix product.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "exec/indexing.h"
#include "exec/integer_math.h"
#include "ops/ops.h"

namespace anemone::ops::linear {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::MutableTensor;
using exec::Shape;

// How the elements of a matrix lie in memory.
struct Layout {
  int64_t row_step = 0;
  int64_t column_step = 1;
};
struct Sizes {
  int64_t rows, inner, columns;
};

// Integers wrap around as in two's complement, everything else accumulates in double.
template <typename X, typename Y>
using Accumulator =
    std::conditional_t<std::is_integral_v<X> && std::is_integral_v<Y>, uint32_t, double>;

template <typename Out>
Out Convert(double sum) {
  if constexpr (std::is_integral_v<Out>) {
    return exec::SaturatingCast<Out>(sum);
  } else {
    return static_cast<Out>(sum);
  }
}

// out[m, n] = sum over k of x[m, k] * y[k, n], plus bias[n]; `out` is contiguous.
template <typename X, typename Y, typename Out>
void Multiply(const Sizes& sizes, const X* x, Layout lx, const Y* y, Layout ly, const Y* bias,
              Out* out) {
  using Acc = Accumulator<X, Y>;
  std::vector<Acc> row(static_cast<size_t>(sizes.columns));
  for (int64_t m = 0; m < sizes.rows; ++m) {
    for (int64_t n = 0; n < sizes.columns; ++n) {
      row[static_cast<size_t>(n)] = bias ? static_cast<Acc>(bias[n]) : Acc{0};
    }
    for (int64_t k = 0; k < sizes.inner; ++k) {
      const Acc left = static_cast<Acc>(x[m * lx.row_step + k * lx.column_step]);
      const Y* right = y + k * ly.row_step;
      for (int64_t n = 0; n < sizes.columns; ++n) {
        row[static_cast<size_t>(n)] += left * static_cast<Acc>(right[n * ly.column_step]);
      }
    }
    for (Acc sum : row) {
      if constexpr (std::is_same_v<Acc, uint32_t>) {
        *out++ = static_cast<Out>(static_cast<int32_t>(sum));
      } else {
        *out++ = Convert<Out>(sum);
      }
    }
  }
}

// Calls fn(X{}, Y{}) with the types of two operands, each float or int32.
template <typename Fn>
Status DispatchPair(DType x, DType y, Fn&& fn) {
  const auto with_x = [&](auto tx) -> Status {
    if (y == DType::kFp32) return fn(tx, float{});
    if (y == DType::kInt32) return fn(tx, int32_t{});
    return Unsupported("no matrix product with {}", DTypeName(y));
  };
  if (x == DType::kFp32) return with_x(float{});
  if (x == DType::kInt32) return with_x(int32_t{});
  return Unsupported("no matrix product of {}", DTypeName(x));
}

// Calls fn(Out*) with the elements of a float or int32 tensor.
template <typename Fn>
Status DispatchOut(const MutableTensor& out, Fn&& fn) {
  if (out.dtype == DType::kFp32) {
    fn(out.As<float>());
  } else if (out.dtype == DType::kInt32) {
    fn(out.As<int32_t>());
  } else {
    return Unsupported("no matrix product that gives {}", DTypeName(out.dtype));
  }
  return {};
}

Status Linear(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const ConstTensor weight, context.Input("weight"));
  ConstTensor bias;
  if (context.Has("bias")) {
    ANEMONE_ASSIGN(bias, context.Input("bias"));
  }
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const int64_t outputs = weight.shape[0];
  const int64_t features = weight.shape[1];
  const Sizes sizes{outputs == 0 ? 0 : out.count() / outputs, features, outputs};
  return DispatchPair(x.dtype, weight.dtype, [&](auto tx, auto ty) {
    using X = decltype(tx);
    using Y = decltype(ty);
    return DispatchOut(out, [&](auto* data) {
      Multiply(sizes, x.As<X>(), Layout{features, 1}, weight.As<Y>(), Layout{1, features},
               bias.As<Y>(), data);
    });
  });
}

// An operand of matmul: a stack of matrices.
struct Stack {
  Shape batch;
  int64_t rows = 1, columns = 1;
  Layout layout;
};

Stack StackOf(const Shape& shape, bool transposed, bool vector_is_column) {
  Stack stack;
  const size_t rank = shape.size();
  if (rank == 1) {
    (vector_is_column ? stack.rows : stack.columns) = shape[0];
    stack.layout = vector_is_column ? Layout{1, 1} : Layout{0, 1};
    return stack;
  }
  stack.batch.assign(shape.begin(), shape.end() - 2);
  stack.rows = shape[rank - 2];
  stack.columns = shape[rank - 1];
  stack.layout = {stack.columns, 1};
  if (transposed) {
    std::swap(stack.rows, stack.columns);
    std::swap(stack.layout.row_step, stack.layout.column_step);
  }
  return stack;
}

// Strides of the batch dimensions, broadcast to `batch`, in elements.
exec::Strides BatchStrides(const Stack& stack, const Shape& batch) {
  exec::Strides strides = exec::BroadcastStrides(stack.batch, batch);
  for (int64_t& stride : strides) stride *= stack.rows * stack.columns;
  return strides;
}

Status Matmul(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const ConstTensor y, context.Input("y"));
  ANEMONE_ASSIGN(const bool transpose_x, context.args().Bool("transpose_x"));
  ANEMONE_ASSIGN(const bool transpose_y, context.args().Bool("transpose_y"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const Stack sx = StackOf(x.shape, transpose_x, /*vector_is_column=*/false);
  const Stack sy = StackOf(y.shape, transpose_y, /*vector_is_column=*/true);
  const size_t matrix_rank = (x.rank() > 1 ? 1u : 0u) + (y.rank() > 1 ? 1u : 0u);
  const Shape batch(out.shape.begin(), out.shape.end() - static_cast<std::ptrdiff_t>(matrix_rank));
  const Sizes sizes{sx.rows, sx.columns, sy.columns};
  const std::array<exec::Strides, 2> strides{BatchStrides(sx, batch), BatchStrides(sy, batch)};
  return DispatchPair(x.dtype, y.dtype, [&](auto tx, auto ty) {
    using X = decltype(tx);
    using Y = decltype(ty);
    return DispatchOut(out, [&](auto* data) {
      exec::ForEachOffset<2>(batch, strides, [&](const std::array<int64_t, 2>& offsets) {
        Multiply<X, Y>(sizes, x.As<X>() + offsets[0], sx.layout, y.As<Y>() + offsets[1], sy.layout,
                       nullptr, data);
        data += sizes.rows * sizes.columns;
      });
    });
  });
}

// Each (n, h) is one matrix product of the planes x[n, :, h, :] and y[n, :, h, :].
Status Einsum(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("values", 0));
  ANEMONE_ASSIGN(const ConstTensor y, context.Input("values", 1));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  // [n, rows, h, columns], with n = 1 for values of rank 3.
  const auto with_batch = [](Shape shape) {
    if (shape.size() == 3) shape.insert(shape.begin(), 1);
    return shape;
  };
  const Shape xs = with_batch(x.shape);
  const Shape ys = with_batch(y.shape);
  const Shape os = with_batch(out.shape);
  const Sizes sizes{xs[1], xs[3], ys[3]};
  std::vector<float> plane(static_cast<size_t>(sizes.rows * sizes.columns));
  for (int64_t n = 0; n < os[0]; ++n) {
    for (int64_t h = 0; h < os[2]; ++h) {
      const auto start = [&](const Shape& s) {
        const int64_t row = (s[0] == 1 ? 0 : n) * s[1] * s[2] + (s[2] == 1 ? 0 : h);
        return row * s[3];
      };
      Multiply<float, float>(sizes, x.As<float>() + start(xs), Layout{xs[2] * xs[3], 1},
                             y.As<float>() + start(ys), Layout{ys[2] * ys[3], 1}, nullptr,
                             plane.data());
      for (int64_t c = 0; c < os[1]; ++c) {
        std::copy_n(plane.data() + c * os[3], os[3],
                    out.As<float>() + ((n * os[1] + c) * os[2] + h) * os[3]);
      }
    }
  }
  return {};
}

// Softmax of `scores` in place. Scores that are all -infinity (nothing let through) become zeros.
void Softmax(std::vector<double>* scores) {
  double largest = -std::numeric_limits<double>::infinity();
  for (double score : *scores) largest = std::max(largest, score);
  if (std::isinf(largest) && largest < 0) {
    std::fill(scores->begin(), scores->end(), 0.0);
    return;
  }
  double sum = 0;
  for (double& score : *scores) sum += score = std::exp(score - largest);
  for (double& score : *scores) score /= sum;
}

Status Attention(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor query, context.Input("query"));
  ANEMONE_ASSIGN(const ConstTensor key, context.Input("key"));
  ANEMONE_ASSIGN(const ConstTensor value, context.Input("value"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const int64_t depth = query.shape.back();
  const int64_t sources = key.shape[key.shape.size() - 2];
  const int64_t value_depth = value.shape.back();
  const int64_t queries = query.shape[query.shape.size() - 2];

  // The mask read as if it had the shape of the scores, one row of sources for each query.
  ConstTensor mask;
  Shape rows(query.shape.begin(), query.shape.end() - 1);
  exec::Strides mask_strides(rows.size(), 0);
  if (context.Has("attn_mask")) {
    ANEMONE_ASSIGN(mask, context.Input("attn_mask"));
    Shape scores = rows;
    scores.push_back(sources);
    mask_strides = exec::BroadcastStrides(mask.shape, scores);
    mask_strides.pop_back();
  }
  const auto apply_mask = [&](int64_t offset, std::vector<double>* scores) {
    for (size_t s = 0; s < scores->size(); ++s) {
      const size_t at = static_cast<size_t>(offset) + s;
      if (mask.dtype == DType::kBool) {
        if (mask.As<uint8_t>()[at] == 0) (*scores)[s] = -std::numeric_limits<double>::infinity();
      } else {
        (*scores)[s] += mask.As<float>()[at];
      }
    }
  };

  const double scale = 1.0 / std::sqrt(static_cast<double>(depth));
  std::vector<double> scores(static_cast<size_t>(sources));
  std::vector<double> sum(static_cast<size_t>(value_depth));
  int64_t row = 0;
  float* result = out.As<float>();
  exec::ForEachOffset<1>(rows, {mask_strides}, [&](const std::array<int64_t, 1>& offsets) {
    const int64_t batch = row / queries;
    const float* q = query.As<float>() + row * depth;
    const float* k = key.As<float>() + batch * sources * depth;
    for (double& score : scores) {
      double dot = 0;
      for (int64_t e = 0; e < depth; ++e) dot += static_cast<double>(q[e]) * k[e];
      score = dot * scale;
      k += depth;
    }
    if (mask.data != nullptr) apply_mask(offsets[0], &scores);
    Softmax(&scores);
    std::fill(sum.begin(), sum.end(), 0.0);
    const float* v = value.As<float>() + batch * sources * value_depth;
    for (double score : scores) {
      for (double& total : sum) total += score * *v++;
    }
    result = std::copy(sum.begin(), sum.end(), result);
    ++row;
  });
  return {};
}

constexpr exec::KernelEntry kKernels[] = {{"einsum", Einsum},
                                          {"linear", Linear},
                                          {"matmul", Matmul},
                                          {"scaled_dot_product_attention", Attention}};

}  // namespace

std::span<const exec::KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::linear
