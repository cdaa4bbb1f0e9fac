// batch_norm, instance_norm, l2_norm, layer_norm and local_response_norm: definitions.
#include <algorithm>

#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::normalization {
namespace {

// Until ios17 vectors of parameters have the dtype of x.
Status CheckDTypes(const OpArgs& args, std::initializer_list<std::string_view> params) {
  if (args.opset() >= Opset::kIOS17) return {};
  const DType dtype = args.TypeOf("x").dtype();
  for (std::string_view param : params) {
    if (!args.Has(param) || args.TypeOf(param).dtype() == dtype) continue;
    return Violates("normalization_c1", "{} is {} and x is {}", param,
                    DTypeName(args.TypeOf(param).dtype()), DTypeName(dtype));
  }
  return {};
}

// One value for each channel, dimension 1 of x.
Status CheckPerChannel(const OpArgs& args, std::initializer_list<std::string_view> params,
                       std::string_view label) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) return {};
  for (std::string_view param : params) {
    if (!args.Has(param) || !args.TypeOf(param).has_rank()) continue;
    const Shape& shape = args.TypeOf(param).shape();
    if (shape.size() != 1 || !DimsAgree(shape[0], x.shape()[1])) {
      return Violates(label, "{} of shape {} for {} channels", param, ir::ShapeToString(shape),
                      x.shape()[1]);
    }
  }
  return {};
}

Status InferBatchNorm(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckDTypes(args, {"mean", "variance", "gamma", "beta"}));
  ANEMONE_TRY(CheckRank(args, "x", 3, 5, "batch_norm_c1"));
  ANEMONE_TRY(CheckPerChannel(args, {"mean", "variance", "gamma", "beta"}, "batch_norm_c2"));
  return InferLikeX(args, outputs);
}

Status InferInstanceNorm(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckDTypes(args, {"gamma", "beta"}));
  ANEMONE_TRY(CheckRank(args, "x", 3, 4, "instance_norm_c1"));
  ANEMONE_TRY(CheckPerChannel(args, {"gamma", "beta"}, "instance_norm_c2"));
  return InferLikeX(args, outputs);
}

Status InferL2Norm(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (x.has_rank() && x.rank() < 3) return Violates("l2_norm_c1", "x has rank {}", x.rank());
  return InferLikeX(args, outputs);
}

Result<ir::Literal> AllAxes(const OpArgs& args) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) return InvalidInput("the rank of x, which decides the axes, is not known");
  std::vector<int64_t> axes;
  for (int axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  return ir::Literal::Int32s(axes);
}

Status InferLayerNorm(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckDTypes(args, {"gamma", "beta"}));
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) return InferLikeX(args, outputs);
  ANEMONE_ASSIGN(std::vector<int64_t> axes, args.Ints("axes"));
  ANEMONE_ASSIGN(axes, NormalizeAxes("layer_norm_c1", std::move(axes), x.rank()));
  std::sort(axes.begin(), axes.end());
  Shape normalized;
  for (int64_t axis : axes) normalized.push_back(x.shape()[static_cast<size_t>(axis)]);
  for (std::string_view param : {"gamma", "beta"}) {
    if (!args.Has(param) || !args.TypeOf(param).has_rank()) continue;
    if (!ShapesAgree(args.TypeOf(param).shape(), normalized)) {
      return Violates("layer_norm_c2", "{} of shape {} over axes of shape {}", param,
                      ir::ShapeToString(args.TypeOf(param).shape()), ir::ShapeToString(normalized));
    }
  }
  return InferLikeX(args, outputs);
}

Status InferLocalResponseNorm(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckRank(args, "x", 3, 5, "local_response_norm_c1"));
  ANEMONE_ASSIGN(const int64_t size, args.Int("size"));
  if (size <= 0) return Violates("local_response_norm_c2", "size is {}", size);
  return InferLikeX(args, outputs);
}

// A scale and a shift.
OpCost TwoFlops(const OpArgs&, std::span<const Type> outputs) {
  return {CostProduct({OutputElements(outputs), 2})};
}
// Mean, variance (subtract, square, add), scale and shift.
OpCost MomentsCost(const OpArgs&, std::span<const Type> outputs) {
  return {CostProduct({OutputElements(outputs), 6})};
}
// Square and add for each neighbor, then a power and a division.
OpCost NeighborsCost(const OpArgs& args, std::span<const Type> outputs) {
  const Result<int64_t> size = args.Int("size");
  if (!size.ok()) return {};
  const Result<int64_t> flops = AddDims(*size, 1);
  return {flops.ok() ? CostProduct({OutputElements(outputs), 2, *flops}) : 0};
}

template <float kValue>
Result<ir::Literal> Default(const OpArgs& args) {
  return FloatLikeX(args, kValue);
}
// An optional scalar of any float dtype, as converters write defaults in float32 beside
// half-precision tensors; its default has the dtype of x.
Param Scalar(std::string_view name, Result<ir::Literal> (*default_fn)(const OpArgs& args)) {
  return {.name = name,
          .types = "fp16 fp32",
          .required = false,
          .constant = true,
          .default_fn = default_fn};
}
Param Vector(std::string_view name, bool required) {
  return {.name = name, .types = "U", .required = required, .constant = true};
}

}  // namespace

std::vector<OpDef> Defs() {
  const std::vector<TypeDomain> domains = {{"T", "fp16 fp32"}, {"U", "fp16 fp32"}};
  const Param x{.name = "x", .types = "T"};
  const Constraint dtypes{"normalization_c1",
                          "before ios17, mean, variance, gamma and beta have the dtype of x"};
  return {
      {.name = "batch_norm",
       .doc = "gamma * (x - mean) / sqrt(variance + epsilon) + beta with one value of each "
              "parameter for each channel (dimension 1) of x [n, c, d...].",
       .params = {x, Vector("mean", true), Vector("variance", true), Vector("gamma", false),
                  Vector("beta", false), Scalar("epsilon", Default<1e-5f>)},
       .domains = domains,
       .constraints =
           {dtypes,
            {"batch_norm_c1", "x has rank 3, 4 or 5"},
            {"batch_norm_c2",
             "mean, variance, gamma and beta have rank 1 and one value for each channel"}},
       .infer = InferBatchNorm,
       .cost = TwoFlops,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      {.name = "instance_norm",
       .doc = "Each channel of each sample of x [n, c, d...] less its mean, over the square root "
              "of its variance (by the number of elements) plus epsilon, times gamma, plus beta.",
       .params = {x, Vector("gamma", false), Vector("beta", false),
                  Scalar("epsilon", Default<1e-5f>)},
       .domains = domains,
       .constraints = {dtypes,
                       {"instance_norm_c1", "x has rank 3 or 4"},
                       {"instance_norm_c2",
                        "gamma and beta have rank 1 and one value for each channel"}},
       .infer = InferInstanceNorm,
       .cost = MomentsCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      {.name = "l2_norm",
       .doc = "x / sqrt(sum of squares + epsilon), the sum taken over the last three dimensions.",
       .params = {x, Scalar("epsilon", Default<1e-6f>)},
       .domains = domains,
       .constraints = {{"l2_norm_c1", "x has rank 3 or more"}},
       .infer = InferL2Norm,
       .cost =
           [](const OpArgs&, std::span<const Type> outputs) {
             return OpCost{CostProduct({OutputElements(outputs), 3})};
           },
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      {.name = "layer_norm",
       .doc = "x less its mean over `axes`, over the square root of its variance (by the number "
              "of elements) plus epsilon, times gamma, plus beta; gamma and beta have the shape "
              "of the normalized dimensions.",
       .params = {x,
                  {.name = "axes",
                   .types = "int32",
                   .required = false,
                   .constant = true,
                   .default_fn = AllAxes},
                  Vector("gamma", false),
                  Vector("beta", false),
                  Scalar("epsilon", Default<1e-5f>)},
       .domains = domains,
       .constraints = {dtypes,
                       {"layer_norm_c1", "axes lie in [-rank, rank) and differ"},
                       {"layer_norm_c2", "gamma and beta have the shape of x along the axes"}},
       .infer = InferLayerNorm,
       .cost = MomentsCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      {.name = "local_response_norm",
       .doc = "x / (k + alpha / size * s)^beta, where s sums the squares of `size` neighbors "
              "along the third dimension from the end (the channels of [n, c, h, w]): size / 2 "
              "before the element (rounded down), itself, and the others after it, none beyond "
              "the ends.",
       .params = {x,
                  {.name = "size", .types = "int32", .constant = true},
                  Scalar("alpha", Default<1e-4f>),
                  Scalar("beta", Default<0.75f>),
                  Scalar("k", Default<1.0f>)},
       .domains = domains,
       .constraints = {{"local_response_norm_c1", "x has rank 3, 4 or 5"},
                       {"local_response_norm_c2", "size is positive"}},
       .infer = InferLocalResponseNorm,
       .cost = NeighborsCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
  };
}

}  // namespace anemone::ops::normalization
