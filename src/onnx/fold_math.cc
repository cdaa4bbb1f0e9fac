// Folding of arithmetic, comparisons, conversions and reductions. Integers are computed in int64
// with wrap-around, floats in double and then rounded: for one operation that equals float
// arithmetic.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "onnx/fold.h"
#include "onnx/fold_table.h"
#include "ops/infer.h"

namespace anemone::onnx {
namespace {

using ir::Shape;
using Outputs = Result<std::vector<Constant>>;

enum class BinaryOp {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kMin,
  kMax,
  kEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kAnd,
  kOr,
  kXor
};

bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual; }

// Operators that depend on the order of the numbers.
template <typename T>
std::optional<T> ApplyOrder(BinaryOp op, T a, T b) {
  switch (op) {
    case BinaryOp::kMin:
      return std::min(a, b);
    case BinaryOp::kMax:
      return std::max(a, b);
    case BinaryOp::kEqual:
      return a == b;
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kLessOrEqual:
      return a <= b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kGreaterOrEqual:
      return a >= b;
    default:
      return std::nullopt;
  }
}

// Nullopt where ONNX leaves the result undefined (division by zero).
std::optional<int64_t> Apply(BinaryOp op, int64_t a, int64_t b) {
  const auto wrap = [](uint64_t value) { return static_cast<int64_t>(value); };
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  switch (op) {
    case BinaryOp::kAdd:
      return wrap(ua + ub);
    case BinaryOp::kSub:
      return wrap(ua - ub);
    case BinaryOp::kMul:
      return wrap(ua * ub);
    case BinaryOp::kDiv:
      if (b == 0 || (b == -1 && a == std::numeric_limits<int64_t>::min())) return std::nullopt;
      return a / b;
    case BinaryOp::kMod: {
      if (b == 0 || b == -1) return b == 0 ? std::nullopt : std::optional<int64_t>(0);
      const int64_t rest = a % b;
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    case BinaryOp::kPow: {
      if (b < 0 || b > 64) return std::nullopt;
      uint64_t power = 1;
      for (int64_t i = 0; i < b; ++i) power *= ua;
      return wrap(power);
    }
    case BinaryOp::kAnd:
      return a && b;
    case BinaryOp::kOr:
      return a || b;
    case BinaryOp::kXor:
      return (a != 0) != (b != 0);
    default:
      return ApplyOrder(op, a, b);
  }
}

std::optional<double> Apply(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMod:
      return std::nullopt;
    case BinaryOp::kPow:
      return std::pow(a, b);
    default:
      return ApplyOrder(op, a, b);
  }
}

template <typename T>
Result<std::vector<T>> ApplyAll(BinaryOp op, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> out(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const auto value = Apply(op, a[i], b[i]);
    if (!value) return NotFolded();
    out[i] = *value;
  }
  return out;
}

Result<Constant> FoldBinary(BinaryOp op, const Constant& a, const Constant& b) {
  ANEMONE_ASSIGN(const Shape dims, ops::BroadcastShapes("", a.dims, b.dims));
  if (!ComputableCount(dims)) return NotFolded();
  const Constant x = BroadcastConstant(a, dims), y = BroadcastConstant(b, dims);
  const DType dtype = IsComparison(op) ? DType::kBool : a.dtype;
  if (x.is_integer() && y.is_integer()) {
    ANEMONE_ASSIGN(const auto out, ApplyAll(op, *x.AsInts(), *y.AsInts()));
    return Constant::FromInts(dtype, out, dims);
  }
  const auto p = x.AsDoubles(), q = y.AsDoubles();
  if (!p || !q) return NotFolded();
  ANEMONE_ASSIGN(const auto out, ApplyAll(op, *p, *q));
  return Constant::FromDoubles(dtype, out, dims);
}

template <BinaryOp kOp>
Outputs FoldBinary(const FoldArgs& args) {
  if (kOp == BinaryOp::kMod && args.Int("fmod", 0) != 0) return NotFolded();
  Constant out = *args.In(0);
  for (size_t i = 1; i < args.inputs.size(); ++i) {
    if (args.In(i) == nullptr) return InvalidInput("input {} is missing", i);
    ANEMONE_ASSIGN(out, FoldBinary(kOp, out, *args.In(i)));
  }
  return std::vector<Constant>{std::move(out)};
}

// The limits are inputs since opset 11.
Outputs FoldClip(const FoldArgs& args) {
  if (args.opset < 11) return NotFolded();
  Constant out = *args.In(0);
  if (args.In(1) != nullptr) {
    ANEMONE_ASSIGN(out, FoldBinary(BinaryOp::kMax, out, *args.In(1)));
  }
  if (args.In(2) != nullptr) {
    ANEMONE_ASSIGN(out, FoldBinary(BinaryOp::kMin, out, *args.In(2)));
  }
  return std::vector<Constant>{std::move(out)};
}

using UnaryFn = double (*)(double);
template <UnaryFn kFunction>
Outputs FoldUnary(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  if (!ComputableCount(x.dims)) return NotFolded();
  auto values = x.AsDoubles();
  if (!values || x.is_integer()) return NotFolded();
  for (double& value : *values) value = kFunction(value);
  return std::vector<Constant>{Constant::FromDoubles(x.dtype, *values, x.dims)};
}

template <bool kAbsolute>
Outputs FoldNeg(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  if (!ComputableCount(x.dims)) return NotFolded();
  const auto flip = [](auto value) { return kAbsolute && value >= 0 ? value : -value; };
  if (x.is_integer()) {
    auto values = *x.AsInts();
    for (int64_t& value : values) {
      if (value == std::numeric_limits<int64_t>::min()) return NotFolded();
      value = flip(value);
    }
    return std::vector<Constant>{Constant::FromInts(x.dtype, values, x.dims)};
  }
  auto values = x.AsDoubles();
  if (!values) return NotFolded();
  for (double& value : *values) value = kAbsolute ? std::fabs(value) : -value;
  return std::vector<Constant>{Constant::FromDoubles(x.dtype, *values, x.dims)};
}

Outputs FoldNot(const FoldArgs& args) {
  if (args.In(0)->dtype != DType::kBool) return InvalidInput("Not needs a bool tensor");
  auto values = *args.In(0)->AsInts();
  for (int64_t& value : values) value = value == 0;
  return std::vector<Constant>{Constant::FromInts(DType::kBool, values, args.In(0)->dims)};
}

Outputs FoldCast(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  const DType to = ToDType(static_cast<int32_t>(args.Int("to", 0)));
  if (to == DType::kInvalid || to == DType::kString || IsSubByte(to)) return NotFolded();
  if (x.dtype == to) return std::vector<Constant>{x};
  if (!ComputableCount(x.dims)) return NotFolded();
  if (x.is_integer()) {
    return std::vector<Constant>{Constant::FromInts(to, *x.AsInts(), x.dims)};
  }
  auto values = x.AsDoubles();
  if (!values) return NotFolded();
  if (to == DType::kFp16) {
    // Held as float, but rounded, and infinite where half precision ends.
    for (double& value : *values) value = HalfToFloat(FloatToHalf(static_cast<float>(value)));
  }
  return std::vector<Constant>{Constant::FromDoubles(to, *values, x.dims)};
}

Outputs FoldRange(const FoldArgs& args) {
  const Constant &start = *args.In(0), &limit = *args.In(1), &delta = *args.In(2);
  const auto first = start.AsDoubles(), last = limit.AsDoubles(), step = delta.AsDoubles();
  if (!first || !last || !step || first->size() != 1 || last->size() != 1 || step->size() != 1) {
    return InvalidInput("Range needs three scalars");
  }
  if (step->front() == 0) return InvalidInput("the step of Range is 0");
  const double span = std::ceil((last->front() - first->front()) / step->front());
  if (!(span < 1 << 24)) return NotFolded();
  const auto count = static_cast<int64_t>(std::max(span, 0.0));
  std::vector<double> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = first->front() + static_cast<double>(i) * step->front();
  }
  return std::vector<Constant>{Constant::FromDoubles(start.dtype, values, {count})};
}

// For each element of the result, the elements that it is made from.
struct Reduction {
  Shape dims;                             // of the result
  std::vector<std::vector<size_t>> rows;  // element numbers
};

Result<Reduction> PlanReduction(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  const auto rank = static_cast<int64_t>(x.dims.size());
  auto axes = args.Ints(1, "axes").value_or(std::vector<int64_t>());
  if (axes.empty()) {
    if (args.Int("noop_with_empty_axes", 0) != 0) return NotFolded();
    for (int64_t d = 0; d < rank; ++d) axes.push_back(d);
  }
  ANEMONE_ASSIGN(axes, ops::NormalizeAxes(axes, rank));
  std::vector<bool> reduced(x.dims.size(), false);
  for (const int64_t axis : axes) reduced[static_cast<size_t>(axis)] = true;
  if (x.count() > 1 << 20) return NotFolded();
  Reduction plan;
  Shape kept;
  for (size_t d = 0; d < x.dims.size(); ++d) {
    kept.push_back(reduced[d] ? 1 : x.dims[d]);
    if (!reduced[d]) plan.dims.push_back(x.dims[d]);
    if (reduced[d] && args.Int("keepdims", 1) != 0) plan.dims.push_back(1);
  }
  plan.rows.resize(static_cast<size_t>(ir::ElementCount(kept).value_or(0)));
  std::vector<int64_t> index(x.dims.size(), 0);
  for (size_t i = 0; i < static_cast<size_t>(x.count()); ++i) {
    size_t row = 0;
    for (size_t d = 0; d < index.size(); ++d) {
      row = row * static_cast<size_t>(kept[d]) + static_cast<size_t>(reduced[d] ? 0 : index[d]);
    }
    plan.rows[row].push_back(i);
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < x.dims[d]) break;
      index[d] = 0;
    }
  }
  return plan;
}

// What a reduction of no elements gives: nullopt where ONNX does not say.
std::optional<double> OfNothing(BinaryOp op, DType dtype) {
  const double infinity = std::numeric_limits<double>::infinity();
  const bool real = IsFloat(dtype);
  switch (op) {
    case BinaryOp::kAdd:
      return 0;
    case BinaryOp::kMul:
      return 1;
    case BinaryOp::kMax:
      if (dtype == DType::kBool) return 0;
      return real ? std::optional(-infinity) : std::nullopt;
    case BinaryOp::kMin:
      if (dtype == DType::kBool) return 1;
      return real ? std::optional(infinity) : std::nullopt;
    default:
      return std::nullopt;
  }
}

// A reduction of a tensor without elements.
Outputs FoldNothing(BinaryOp op, const Constant& x, const Reduction& plan) {
  const auto value = OfNothing(op, x.dtype);
  if (!value) return NotFolded();
  const std::vector<double> out(plan.rows.size(), *value);
  return std::vector<Constant>{Constant::FromDoubles(x.dtype, out, plan.dims)};
}

// The other reductions, where there is nothing to reduce.
template <bool kLogarithm>
Outputs FoldEmpty(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  if (x.count() != 0) return NotFolded();
  ANEMONE_ASSIGN(const Reduction plan, PlanReduction(args));
  const double value = kLogarithm ? -std::numeric_limits<double>::infinity() : 0;
  const std::vector<double> out(plan.rows.size(), value);
  return std::vector<Constant>{Constant::FromDoubles(x.dtype, out, plan.dims)};
}

template <BinaryOp kOp>
Outputs FoldReduce(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  ANEMONE_ASSIGN(const Reduction plan, PlanReduction(args));
  if (x.count() == 0) return FoldNothing(kOp, x, plan);
  const auto ints = x.AsInts();
  const auto doubles = x.AsDoubles();
  if (!doubles) return NotFolded();
  std::vector<int64_t> int_out;
  std::vector<double> double_out;
  for (const auto& row : plan.rows) {
    int64_t whole = ints ? (*ints)[row[0]] : 0;
    double real = (*doubles)[row[0]];
    for (size_t i = 1; i < row.size(); ++i) {
      if (ints) {
        whole = Apply(kOp, whole, (*ints)[row[i]]).value_or(0);
      } else {
        real = Apply(kOp, real, (*doubles)[row[i]]).value_or(0);
      }
    }
    int_out.push_back(whole);
    double_out.push_back(real);
  }
  return std::vector<Constant>{ints ? Constant::FromInts(x.dtype, int_out, plan.dims)
                                    : Constant::FromDoubles(x.dtype, double_out, plan.dims)};
}

Outputs FoldNonZero(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  if (!ComputableCount(x.dims)) return NotFolded();
  const auto values = x.AsDoubles();
  if (!values) return NotFolded();
  const size_t rank = std::max<size_t>(x.dims.size(), 1);
  std::vector<std::vector<int64_t>> found(rank);
  for (size_t i = 0; i < values->size(); ++i) {
    if ((*values)[i] == 0) continue;
    auto rest = static_cast<int64_t>(i);
    for (size_t d = rank; d-- > 0;) {
      const int64_t size = x.dims.empty() ? 1 : x.dims[d];
      found[d].push_back(rest % size);
      rest /= size;
    }
  }
  std::vector<int64_t> out;
  for (const auto& row : found) out.insert(out.end(), row.begin(), row.end());
  return std::vector<Constant>{Constant::Int64s(
      std::move(out), {static_cast<int64_t>(rank), static_cast<int64_t>(found[0].size())})};
}

double Floor(double x) { return std::floor(x); }
double Ceil(double x) { return std::ceil(x); }
double Sqrt(double x) { return std::sqrt(x); }
double Reciprocal(double x) { return 1 / x; }
double Exp(double x) { return std::exp(x); }
double Log(double x) { return std::log(x); }
double Relu(double x) { return x < 0 ? 0 : x; }  // of NaN, NaN
double Round(double x) { return std::nearbyint(x); }

}  // namespace

std::span<const FoldRow> MathFolds() {
  static constexpr FoldRow kRows[] = {
      {"Add", FoldBinary<BinaryOp::kAdd>, 2},
      {"Sub", FoldBinary<BinaryOp::kSub>, 2},
      {"Mul", FoldBinary<BinaryOp::kMul>, 2},
      {"Div", FoldBinary<BinaryOp::kDiv>, 2},
      {"Mod", FoldBinary<BinaryOp::kMod>, 2},
      {"Pow", FoldBinary<BinaryOp::kPow>, 2},
      {"Min", FoldBinary<BinaryOp::kMin>, 1},
      {"Max", FoldBinary<BinaryOp::kMax>, 1},
      {"Sum", FoldBinary<BinaryOp::kAdd>, 1},
      {"Clip", FoldClip, 1},
      {"Equal", FoldBinary<BinaryOp::kEqual>, 2},
      {"Less", FoldBinary<BinaryOp::kLess>, 2},
      {"LessOrEqual", FoldBinary<BinaryOp::kLessOrEqual>, 2},
      {"Greater", FoldBinary<BinaryOp::kGreater>, 2},
      {"GreaterOrEqual", FoldBinary<BinaryOp::kGreaterOrEqual>, 2},
      {"And", FoldBinary<BinaryOp::kAnd>, 2},
      {"Or", FoldBinary<BinaryOp::kOr>, 2},
      {"Xor", FoldBinary<BinaryOp::kXor>, 2},
      {"Not", FoldNot, 1},
      {"Neg", FoldNeg<false>, 1},
      {"Abs", FoldNeg<true>, 1},
      {"Floor", FoldUnary<Floor>, 1},
      {"Ceil", FoldUnary<Ceil>, 1},
      {"Sqrt", FoldUnary<Sqrt>, 1},
      {"Reciprocal", FoldUnary<Reciprocal>, 1},
      {"Exp", FoldUnary<Exp>, 1},
      {"Log", FoldUnary<Log>, 1},
      {"Round", FoldUnary<Round>, 1},
      {"Relu", FoldUnary<Relu>, 1},
      {"Cast", FoldCast, 1},
      {"Range", FoldRange, 3},
      {"ReduceProd", FoldReduce<BinaryOp::kMul>, 1},
      {"ReduceSum", FoldReduce<BinaryOp::kAdd>, 1},
      {"ReduceMin", FoldReduce<BinaryOp::kMin>, 1},
      {"ReduceMax", FoldReduce<BinaryOp::kMax>, 1},
      {"ReduceL1", FoldEmpty<false>, 1},
      {"ReduceL2", FoldEmpty<false>, 1},
      {"ReduceSumSquare", FoldEmpty<false>, 1},
      {"ReduceLogSum", FoldEmpty<true>, 1},
      {"ReduceLogSumExp", FoldEmpty<true>, 1},
      {"NonZero", FoldNonZero, 1},
  };
  return kRows;
}

}  // namespace anemone::onnx
