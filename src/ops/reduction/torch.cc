// PyTorch: reductions.
#include <algorithm>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::reduction {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

Attributes KeepDims(const Context& c) {
  return {Int("keepdims", c.Flag("keepdim", false) ? 1 : 0)};
}

std::string AxesOf(Context& c) { return c.Int64s(c.Axes("dim", c.Rank("self"))); }

Status Reduced(Context& c, const std::string& op, Category category) {
  if (c.Rank("self") == 0) return c.SetAs(0, c.Operand("self", category), category);
  return c.SetAs(0, c.Op(op, {c.Operand("self", category), AxesOf(c)}, KeepDims(c)), category);
}

Status EmitSum(Context& c) {
  return Reduced(c, "ReduceSum", std::max(c.OutCategory(), Category::kInt));
}
Status EmitMean(Context& c) { return Reduced(c, "ReduceMean", Category::kFloat); }
Status EmitProd(Context& c) {
  return Reduced(c, "ReduceProd", std::max(c.OutCategory(), Category::kInt));
}
Status EmitAmax(Context& c) { return Reduced(c, "ReduceMax", c.CategoryOf("self")); }
Status EmitAmin(Context& c) { return Reduced(c, "ReduceMin", c.CategoryOf("self")); }
Status EmitLogSumExp(Context& c) { return Reduced(c, "ReduceLogSumExp", Category::kFloat); }

Status EmitAny(Context& c) {
  const std::string x = c.As(c.Operand("self", Category::kBool), Category::kBool, Category::kInt);
  if (c.Rank("self") == 0) return c.Set(0, c.Operand("self", Category::kBool));
  return c.SetAs(0, c.Op("ReduceMax", {x, AxesOf(c)}, KeepDims(c)), Category::kInt);
}

Status EmitAll(Context& c) {
  const std::string x = c.As(c.Operand("self", Category::kBool), Category::kBool, Category::kInt);
  if (c.Rank("self") == 0) return c.Set(0, c.Operand("self", Category::kBool));
  return c.SetAs(0, c.Op("ReduceMin", {x, AxesOf(c)}, KeepDims(c)), Category::kInt);
}

// max.dim: values and indices.
Status Extreme(Context& c, const std::string& value, const std::string& index) {
  const std::string x = c.Need("self");
  const int64_t rank = c.Rank("self");
  if (rank == 0) {
    ANEMONE_TRY(c.Set(0, c.Op("Identity", {x})));
    return c.Set(1, c.Int64(0));
  }
  const int64_t axis = c.Axis("dim", 0, rank);
  ANEMONE_TRY(c.Set(0, c.Op(value, {x, c.Int64s({axis})}, KeepDims(c))));
  return c.Set(1, c.Op(index, {x}, {Int("axis", axis), KeepDims(c)[0]}));
}

Status EmitMaxDim(Context& c) { return Extreme(c, "ReduceMax", "ArgMax"); }
Status EmitMinDim(Context& c) { return Extreme(c, "ReduceMin", "ArgMin"); }

Status Arg(Context& c, const std::string& op) {
  const int64_t rank = c.Rank("self");
  std::string x = c.Need("self");
  if (rank == 0) return c.Set(0, c.Int64(0));
  if (c.Has("dim")) {
    return c.Set(0, c.Op(op, {x}, {Int("axis", c.Axis("dim", 0, rank)), KeepDims(c)[0]}));
  }
  // Of all elements, counted in their order.
  x = c.Op("ArgMax" == op ? "ArgMax" : "ArgMin", {c.Reshape(x, {-1})},
           {Int("axis", 0), Int("keepdims", 0)});
  if (c.Flag("keepdim", false))
    x = c.Reshape(x, std::vector<int64_t>(static_cast<size_t>(rank), 1));
  return c.Set(0, x);
}

Status EmitArgMax(Context& c) { return Arg(c, "ArgMax"); }
Status EmitArgMin(Context& c) { return Arg(c, "ArgMin"); }

// Number of elements along the axes, as a float scalar or vector of one.
std::string Count(Context& c, const std::vector<int64_t>& axes) {
  int64_t known = 1;
  bool fixed = true;
  for (const int64_t axis : axes) {
    const auto size = c.Dim("self", axis);
    fixed = fixed && size.has_value();
    known *= size.value_or(1);
  }
  if (fixed) return c.Number(static_cast<double>(known));
  const std::string sizes = c.Op("Gather", {c.ShapeOf("self"), c.Int64s(axes)});
  return c.Cast(c.Op("ReduceProd", {sizes}, {Int("keepdims", 0)}), DType::kFp32);
}

// Variance with a correction of the number of elements: 1 unless said otherwise.
std::string Variance(Context& c, bool keep) {
  const std::vector<int64_t> axes = c.Axes("dim", c.Rank("self"));
  double correction = 1;
  if (c.Has("correction")) correction = c.Number("correction", 1);
  if (c.Has("unbiased")) correction = c.Flag("unbiased", true) ? 1 : 0;
  const std::string x = c.FloatIn("self"), along = c.Int64s(axes);
  const std::string centered = c.Op("Sub", {x, c.Op("ReduceMean", {x, along})});
  const std::string square = c.Op("Mul", {centered, centered});
  const Attributes keepdims = {Int("keepdims", keep ? 1 : 0)};
  if (correction == 0) return c.Op("ReduceMean", {square, along}, keepdims);
  const std::string sum = c.Op("ReduceSum", {square, along}, keepdims);
  const std::string rest = c.Op("Sub", {Count(c, axes), c.Number(correction)});
  return c.Op("Div", {sum, c.Op("Max", {rest, c.Number(0)})});
}

Status EmitVar(Context& c) { return c.Set(0, Variance(c, c.Flag("keepdim", false))); }
Status EmitStd(Context& c) {
  return c.Set(0, c.Op("Sqrt", {Variance(c, c.Flag("keepdim", false))}));
}

Status WithMean(Context& c, bool root) {
  const bool keep = c.Flag("keepdim", false);
  std::string y = Variance(c, keep);
  if (root) y = c.Op("Sqrt", {y});
  ANEMONE_TRY(c.Set(0, y));
  return c.Set(1, c.Op("ReduceMean", {c.FloatIn("self"), AxesOf(c)}, KeepDims(c)));
}

Status EmitVarMean(Context& c) { return WithMean(c, false); }
Status EmitStdMean(Context& c) { return WithMean(c, true); }

Status EmitCountNonzero(Context& c) {
  const std::string x = c.As(c.Operand("self", Category::kBool), Category::kBool, Category::kInt);
  return c.Set(0, c.Op("ReduceSum", {x, AxesOf(c)}, {Int("keepdims", 0)}));
}

Status EmitAminmax(Context& c) {
  const std::string x = c.Need("self");
  ANEMONE_TRY(c.Set(0, c.Op("ReduceMin", {x, AxesOf(c)}, KeepDims(c))));
  return c.Set(1, c.Op("ReduceMax", {x, AxesOf(c)}, KeepDims(c)));
}

// ---- losses: what is lost of each element, then all, their mean or their sum

Status Lost(Context& c, const std::string& each) {
  const int64_t reduction = c.Int("reduction", 1);
  if (reduction == 0) return c.Set(0, each);
  return c.Set(0, c.Op(reduction == 1 ? "ReduceMean" : "ReduceSum", {each}, {Int("keepdims", 0)}));
}

std::string Error(Context& c) { return c.Op("Sub", {c.FloatIn("self"), c.FloatIn("target")}); }

Status EmitSquaredLoss(Context& c) {
  const std::string error = Error(c);
  return Lost(c, c.Op("Mul", {error, error}));
}

Status EmitAbsoluteLoss(Context& c) { return Lost(c, c.Op("Abs", {Error(c)})); }

// Squares below a bound, lines above it.
Status Bent(Context& c, double bound, double scale) {
  const std::string size = c.Op("Abs", {Error(c)});
  const std::string square = c.Op("Mul", {c.Op("Mul", {size, size}), c.Number(0.5)});
  const std::string line =
      c.Op("Mul", {c.Op("Sub", {size, c.Number(0.5 * bound)}), c.Number(bound)});
  std::string y = c.Op("Where", {c.Op("Less", {size, c.Number(bound)}), square, line});
  if (scale != 1) y = c.Op("Mul", {y, c.Number(scale)});
  return Lost(c, y);
}

Status EmitHuberLoss(Context& c) { return Bent(c, c.Number("delta", 1), 1); }

Status EmitSmoothLoss(Context& c) {
  const double beta = c.Number("beta", 1);
  return beta == 0 ? EmitAbsoluteLoss(c) : Bent(c, beta, 1 / beta);
}

// The trace, as the sum of what an identity lets through.
Status EmitTrace(Context& c) {
  const int64_t rows = c.FixedDim("self", 0), columns = c.FixedDim("self", 1);
  std::vector<float> eye(static_cast<size_t>(rows * columns), 0.0f);
  for (int64_t i = 0; i < std::min(rows, columns); ++i)
    eye[static_cast<size_t>(i * columns + i)] = 1;
  const std::string mask = c.Known(onnx::Constant::Floats(std::move(eye), {rows, columns}));
  const std::string kept = c.Op("Mul", {c.FloatIn("self"), mask});
  return c.SetAs(0, c.Op("ReduceSum", {kept}, {Int("keepdims", 0)}), Category::kFloat);
}

constexpr Converter kConverters[] = {
    {.target = "aten.mse_loss.default", .emit = EmitSquaredLoss},
    {.target = "aten.l1_loss.default", .emit = EmitAbsoluteLoss},
    {.target = "aten.huber_loss.default", .emit = EmitHuberLoss},
    {.target = "aten.smooth_l1_loss.default", .emit = EmitSmoothLoss},
    {.target = "aten.trace.default", .emit = EmitTrace},
    {.target = "aten.sum.default", .emit = EmitSum},
    {.target = "aten.sum.dim_IntList", .emit = EmitSum},
    {.target = "aten.mean.default", .emit = EmitMean},
    {.target = "aten.mean.dim", .emit = EmitMean},
    {.target = "aten.prod.default", .emit = EmitProd},
    {.target = "aten.prod.dim_int", .emit = EmitProd},
    {.target = "aten.amax.default", .emit = EmitAmax},
    {.target = "aten.amin.default", .emit = EmitAmin},
    {.target = "aten.aminmax.default", .emit = EmitAminmax},
    {.target = "aten.max.default", .emit = EmitAmax},
    {.target = "aten.min.default", .emit = EmitAmin},
    {.target = "aten.max.dim", .emit = EmitMaxDim},
    {.target = "aten.min.dim", .emit = EmitMinDim},
    {.target = "aten.argmax.default", .emit = EmitArgMax},
    {.target = "aten.argmin.default", .emit = EmitArgMin},
    {.target = "aten.any.default", .emit = EmitAny},
    {.target = "aten.any.dim", .emit = EmitAny},
    {.target = "aten.any.dims", .emit = EmitAny},
    {.target = "aten.all.default", .emit = EmitAll},
    {.target = "aten.all.dim", .emit = EmitAll},
    {.target = "aten.all.dims", .emit = EmitAll},
    {.target = "aten.logsumexp.default", .emit = EmitLogSumExp},
    {.target = "aten.var.default", .emit = EmitVar},
    {.target = "aten.var.dim", .emit = EmitVar},
    {.target = "aten.var.correction", .emit = EmitVar},
    {.target = "aten.std.default", .emit = EmitStd},
    {.target = "aten.std.dim", .emit = EmitStd},
    {.target = "aten.std.correction", .emit = EmitStd},
    {.target = "aten.var_mean.default", .emit = EmitVarMean},
    {.target = "aten.var_mean.dim", .emit = EmitVarMean},
    {.target = "aten.var_mean.correction", .emit = EmitVarMean},
    {.target = "aten.std_mean.default", .emit = EmitStdMean},
    {.target = "aten.std_mean.dim", .emit = EmitStdMean},
    {.target = "aten.std_mean.correction", .emit = EmitStdMean},
    {.target = "aten.count_nonzero.default", .emit = EmitCountNonzero},
    {.target = "aten.count_nonzero.dim_IntList", .emit = EmitCountNonzero},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::reduction
