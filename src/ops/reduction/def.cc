// Reductions of a tensor along axes.
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::reduction {
namespace {

constexpr std::string_view kAxes = "reduction_c1";
constexpr std::string_view kAxis = "reduction_c2";
constexpr std::string_view kArgDType = "reduction_c3";

// `shape` without the dimensions that `reduced` marks, or with 1 in their place.
Shape Reduced(const Shape& shape, const std::vector<bool>& reduced, bool keep_dims) {
  Shape result;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!reduced[i]) {
      result.push_back(shape[i]);
    } else if (keep_dims) {
      result.push_back(1);
    }
  }
  return result;
}

Status InferOverAxes(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  ANEMONE_ASSIGN(bool keep_dims, args.Bool("keep_dims"));
  if (!x.has_rank()) {
    const bool all = !args.Has("axes") && !keep_dims;
    outputs->push_back(all ? Type::Scalar(x.dtype()) : Type::UnrankedTensor(x.dtype()));
    return {};
  }
  std::vector<bool> reduced(x.shape().size(), true);
  if (args.Has("axes")) {
    ANEMONE_ASSIGN(std::vector<int64_t> axes, args.Ints("axes"));
    ANEMONE_ASSIGN(axes, NormalizeAxes(kAxes, std::move(axes), x.rank()));
    reduced.assign(x.shape().size(), false);
    for (int64_t axis : axes) reduced[static_cast<size_t>(axis)] = true;
  }
  outputs->push_back(Type::Tensor(x.dtype(), Reduced(x.shape(), reduced, keep_dims)));
  return {};
}

Status InferArg(const OpArgs& args, std::vector<Type>* outputs) {
  DType dtype = DType::kInt32;
  if (args.Has("output_dtype")) {
    ANEMONE_ASSIGN(std::string name, args.String("output_dtype"));
    if (name == "uint16") {
      dtype = DType::kUInt16;
    } else if (name != "int32") {
      return Violates(kArgDType, "output_dtype is \"{}\"", name);
    }
  }
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(dtype));
    return {};
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kAxis, axis, x.rank()));
  ANEMONE_ASSIGN(bool keep_dims, args.Bool("keep_dims"));
  std::vector<bool> reduced(x.shape().size(), false);
  reduced[static_cast<size_t>(axis)] = true;
  outputs->push_back(Type::Tensor(dtype, Reduced(x.shape(), reduced, keep_dims)));
  return {};
}

// Reductions compute on each input element, not each output element.
template <int64_t kFlopsPerElement>
OpCost CostPerInput(const OpArgs& args, std::span<const Type>) {
  return {CostProduct({ElementsOf(args, "x"), kFlopsPerElement})};
}

OpDef OverAxes(std::string_view name, std::string_view doc, ir::CostFn cost,
               ElementRule elements = ElementRule::kComputed) {
  return {
      .name = name,
      .doc = doc,
      .params = {{.name = "x", .types = "T"},
                 {.name = "axes", .types = "int32", .required = false, .constant = true},
                 {.name = "keep_dims",
                  .types = "bool",
                  .required = false,
                  .constant = true,
                  .default_text = "false"}},
      .domains = {{.name = "T", .dtypes = "fp16 fp32 int32"}},
      .constraints = {{kAxes, "Each of axes is within [-rank, rank), and no two are the same."}},
      .infer = InferOverAxes,
      .cost = cost,
      .traits = TensorFunction(elements, SizeRule::kInferred)};
}

OpDef Arg(std::string_view name, std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .params = {{.name = "x", .types = "T"},
                     {.name = "axis",
                      .types = "int32",
                      .required = false,
                      .constant = true,
                      .default_text = "-1"},
                     {.name = "keep_dims",
                      .types = "bool",
                      .required = false,
                      .constant = true,
                      .default_text = "false"},
                     {.name = "output_dtype",
                      .types = "string",
                      .required = false,
                      .constant = true,
                      .default_text = "\"int32\"",
                      .since = Opset::kIOS17}},
          .domains = {{.name = "T", .dtypes = "fp16 fp32 int32"}},
          .constraints = {{kAxis, "axis is within [-rank, rank)."},
                          {kArgDType, "output_dtype is int32 or uint16."}},
          .infer = InferArg,
          .cost = CostPerInput<1>,
          .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)};
}

}  // namespace

// The doc texts say what happens along `axes` (all axes when absent); keep_dims leaves 1 where an
// axis was.
std::vector<OpDef> Defs() {
  return {
      Arg("reduce_argmax",
          "Index of the largest element along axis; the first one when several are equal."),
      Arg("reduce_argmin",
          "Index of the smallest element along axis; the first one when several are equal."),
      WithGrowingIntegers(OverAxes("reduce_l1_norm", "Sum of |x| over axes (all when absent).",
                                   CostPerInput<2>, ElementRule::kScaleWithFirst)),
      OverAxes("reduce_l2_norm", "Square root of the sum of x * x over axes (all when absent).",
               CostPerInput<2>, ElementRule::kScaleWithFirst),
      OverAxes("reduce_log_sum", "Natural logarithm of the sum over axes (all when absent).",
               CostPerInput<1>),
      OverAxes("reduce_log_sum_exp",
               "Natural logarithm of the sum of e^x over axes (all when absent), without overflow "
               "for large x.",
               CostPerInput<4>),
      OverAxes("reduce_max", "Largest element over axes (all when absent).", CostPerInput<1>,
               ElementRule::kOfFirst),
      OverAxes("reduce_mean",
               "Arithmetic mean over axes (all when absent); of integers, rounded toward zero.",
               CostPerInput<1>, ElementRule::kOfFirst),
      OverAxes("reduce_min", "Smallest element over axes (all when absent).", CostPerInput<1>,
               ElementRule::kOfFirst),
      WithGrowingIntegers(
          OverAxes("reduce_prod", "Product over axes (all when absent).", CostPerInput<1>)),
      WithGrowingIntegers(OverAxes("reduce_sum", "Sum over axes (all when absent).",
                                   CostPerInput<1>, ElementRule::kScaleWithFirst)),
      WithGrowingIntegers(OverAxes("reduce_sum_square", "Sum of x * x over axes (all when absent).",
                                   CostPerInput<2>)),
  };
}

}  // namespace anemone::ops::reduction
