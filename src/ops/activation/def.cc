// Activation functions: definitions.
#include <algorithm>
#include <cmath>

#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::activation {
namespace {

constexpr TypeDomain kT{"T", "fp16 fp32"};
constexpr TypeDomain kU{"U", "fp16 fp32"};
constexpr Constraint kDTypes{"activation_c1", "before ios17, alpha and beta have the dtype of x"};
constexpr Constraint kScalars{"activation_c2", "alpha and beta hold one value each"};

// Until ios17 alpha and beta have the dtype of x.
Status CheckDTypes(const OpArgs& args) {
  if (args.opset() >= Opset::kIOS17) return {};
  const DType dtype = args.TypeOf("x").dtype();
  for (std::string_view param : {"alpha", "beta"}) {
    if (!args.Has(param) || args.TypeOf(param).dtype() == dtype) continue;
    return Violates("activation_c1", "{} is {} and x is {}", param,
                    DTypeName(args.TypeOf(param).dtype()), DTypeName(dtype));
  }
  return {};
}

Status InferWithScalars(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckDTypes(args));
  for (std::string_view param : {"alpha", "beta"}) {
    if (!args.Has(param)) continue;
    const Type& type = args.TypeOf(param);
    if (!type.is_static() || type.element_count() == 1) continue;
    return Violates("activation_c2", "{} has shape {}", param, ir::ShapeToString(type.shape()));
  }
  return InferLikeX(args, outputs);
}

// One value for each channel, dimension 1 of x.
Status CheckPerChannel(const OpArgs& args, std::string_view param, std::string_view label) {
  const Type& x = args.TypeOf("x");
  const Type& type = args.TypeOf(param);
  if (!x.has_rank() || !type.has_rank()) return {};
  if (type.rank() == 1 && DimsAgree(type.shape()[0], x.shape()[1])) return {};
  return Violates(label, "{} of shape {} for {} channels", param, ir::ShapeToString(type.shape()),
                  x.shape()[1]);
}

Status InferPRelu(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckDTypes(args));
  ANEMONE_TRY(CheckRank(args, "x", 3, 5, "prelu_c1"));
  ANEMONE_TRY(CheckPerChannel(args, "alpha", "prelu_c2"));
  const ir::Literal* alpha = args.ValueOf("alpha");
  if (alpha != nullptr && args.TypeOf("x").has_rank() && args.TypeOf("x").rank() != 4) {
    const std::optional<std::vector<double>> values = alpha->AsDoubles();
    const bool differ = values && std::any_of(values->begin(), values->end(), [&](double value) {
                          return std::abs(value - values->front()) > 1e-5;
                        });
    if (differ) {
      return Violates("prelu_c3", "different slopes for x of rank {}", args.TypeOf("x").rank());
    }
  }
  return InferLikeX(args, outputs);
}

Status InferSoftplusParametric(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckDTypes(args));
  const Type& x = args.TypeOf("x");
  if (x.has_rank() && x.rank() < 3) {
    return Violates("softplus_parametric_c1", "x has rank {}", x.rank());
  }
  ANEMONE_TRY(CheckPerChannel(args, "alpha", "softplus_parametric_c2"));
  ANEMONE_TRY(CheckPerChannel(args, "beta", "softplus_parametric_c2"));
  return InferLikeX(args, outputs);
}

Status InferGelu(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const std::string mode, args.String("mode"));
  if (mode != "EXACT" && mode != "TANH_APPROXIMATION" && mode != "SIGMOID_APPROXIMATION") {
    return Violates("gelu_c1", "mode is \"{}\"", mode);
  }
  return InferLikeX(args, outputs);
}

Status InferSoftmax(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  ANEMONE_ASSIGN(const int64_t axis, args.Int("axis"));
  if (x.has_rank()) ANEMONE_TRY(NormalizeAxis("softmax_c1", axis, x.rank()).status());
  return InferLikeX(args, outputs);
}

constexpr Param kX{.name = "x", .types = "T"};

Param Parameter(std::string_view name) {
  return {.name = name, .types = "U", .constant = true, .float32_since = Opset::kIOS17};
}

OpDef Plain(std::string_view name, std::string_view doc,
            ElementRule elements = ElementRule::kComputed) {
  return {.name = name,
          .doc = doc,
          .params = {kX},
          .domains = {kT},
          .infer = InferLikeX,
          .traits = TensorFunction(elements, SizeRule::kOfFirst)};
}
OpDef WithAlpha(std::string_view name, std::string_view doc,
                ElementRule elements = ElementRule::kComputed) {
  return {.name = name,
          .doc = doc,
          .params = {kX, Parameter("alpha")},
          .domains = {kT, kU},
          .constraints = {kDTypes, kScalars},
          .infer = InferWithScalars,
          .traits = TensorFunction(elements, SizeRule::kOfFirst)};
}
OpDef WithAlphaBeta(std::string_view name, std::string_view doc) {
  OpDef def = WithAlpha(name, doc);
  def.params.push_back(Parameter("beta"));
  return def;
}

}  // namespace

std::vector<OpDef> Defs() {
  return {
      WithAlphaBeta("clamped_relu", "min(beta, x) where x >= 0, min(beta, alpha * x) elsewhere."),
      WithAlpha("elu", "x where x > 0, alpha * (e^x - 1) elsewhere."),
      {.name = "gelu",
       .doc = "x times the normal distribution's cumulative probability of x: exactly, "
              "x / 2 * (1 + erf(x / sqrt(2))), with a tanh in its place, "
              "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))), or with a logistic function, "
              "x * sigmoid(1.702 x).",
       .params = {kX,
                  {.name = "mode",
                   .types = "string",
                   .required = false,
                   .constant = true,
                   .default_text = "\"EXACT\""}},
       .domains = {kT},
       .constraints = {{"gelu_c1", "mode is EXACT, TANH_APPROXIMATION or SIGMOID_APPROXIMATION"}},
       .infer = InferGelu,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      WithAlpha("leaky_relu", "x where x >= 0, alpha * x elsewhere.", ElementRule::kScaleWithFirst),
      WithAlphaBeta("linear_activation", "alpha * x + beta."),
      {.name = "prelu",
       .doc = "x where x > 0, alpha * x elsewhere, with one alpha for each channel (dimension 1) "
              "of x [n, c, d...].",
       .params = {kX, Parameter("alpha")},
       .domains = {kT, kU},
       .constraints = {kDTypes,
                       {"prelu_c1", "x has rank 3, 4 or 5"},
                       {"prelu_c2", "alpha has rank 1 and one value for each channel"},
                       {"prelu_c3", "all alphas are equal when x has rank 3 or 5"}},
       .infer = InferPRelu,
       .traits = TensorFunction(ElementRule::kScaleWithFirst, SizeRule::kOfFirst)},
      Plain("relu", "max(x, 0).", ElementRule::kScaleWithFirst),
      Plain("relu6", "min(max(x, 0), 6)."),
      WithAlphaBeta("scaled_tanh", "alpha * tanh(beta * x)."),
      Plain("sigmoid", "The logistic function 1 / (1 + e^-x)."),
      WithAlphaBeta("sigmoid_hard", "min(max(alpha * x + beta, 0), 1)."),
      Plain("silu", "x * sigmoid(x), also named swish."),
      {.name = "softmax",
       .doc = "e^x / sum(e^x), the sum taken along `axis`; the largest element is taken off first, "
              "so that nothing overflows.",
       .params = {kX,
                  {.name = "axis",
                   .types = "int32",
                   .required = false,
                   .constant = true,
                   .default_text = "-1"}},
       .domains = {kT},
       .constraints = {{"softmax_c1", "axis lies in [-rank, rank)"}},
       .infer = InferSoftmax,
       .cost =
           [](const OpArgs&, std::span<const Type> outputs) {
             return OpCost{CostProduct({OutputElements(outputs), 4})};
           },
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      Plain("softplus", "log(1 + e^x), which for large x is x."),
      {.name = "softplus_parametric",
       .doc = "alpha * log(1 + e^(beta * x)) with one alpha and beta for each channel (dimension "
              "1) of x [n, c, d...].",
       .params = {kX, Parameter("alpha"), Parameter("beta")},
       .domains = {kT, kU},
       .constraints = {kDTypes,
                       {"softplus_parametric_c1", "x has rank 3 or more"},
                       {"softplus_parametric_c2",
                        "alpha and beta have rank 1 and one value for each channel"}},
       .infer = InferSoftplusParametric,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      Plain("softsign", "x / (1 + |x|)."),
      WithAlpha("thresholded_relu", "x where x >= alpha, 0 elsewhere."),
  };
}

}  // namespace anemone::ops::activation
