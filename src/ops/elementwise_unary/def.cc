// Operators on each element of one tensor.
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::elementwise_unary {
namespace {

constexpr std::string_view kEpsilonDType = "elementwise_unary_c1";
constexpr std::string_view kClipOrder = "clip_c1";
constexpr std::string_view kCastDType = "cast_c1";

constexpr std::string_view kCastDTypes = "fp16 fp32 int32 bool";
constexpr std::string_view kCastWiderDTypes = "int8 uint8 int16 uint16";

OpDef Unary(std::string_view name, std::string_view dtypes, std::string_view doc,
            ElementRule elements = ElementRule::kComputed) {
  return {.name = name,
          .doc = doc,
          .params = {{.name = "x", .types = "T"}},
          .domains = {{.name = "T", .dtypes = dtypes}},
          .infer = InferLikeX,
          .traits = TensorFunction(elements, SizeRule::kOfFirst)};
}

Status InferWithEpsilon(const OpArgs& args, std::vector<Type>* outputs) {
  if (args.opset() < Opset::kIOS17 && args.Has("epsilon") &&
      args.TypeOf("epsilon").dtype() != args.TypeOf("x").dtype()) {
    return Violates(kEpsilonDType, "epsilon is {} but x is {}",
                    DTypeName(args.TypeOf("epsilon").dtype()), DTypeName(args.TypeOf("x").dtype()));
  }
  return InferLikeX(args, outputs);
}

// f(x + epsilon); the default of epsilon has the dtype of x.
OpDef WithEpsilon(std::string_view name, std::string_view doc,
                  Result<ir::Literal> (*default_epsilon)(const OpArgs& args)) {
  return {.name = name,
          .doc = doc,
          .params = {{.name = "x", .types = "T"},
                     {.name = "epsilon",
                      .types = "U",
                      .required = false,
                      .constant = true,
                      .default_fn = default_epsilon,
                      .float32_since = Opset::kIOS17}},
          .domains = {{.name = "T", .dtypes = "fp16 fp32"}, {.name = "U", .dtypes = "fp16 fp32"}},
          .constraints = {{kEpsilonDType, "Before ios17, epsilon has the dtype of x."}},
          .infer = InferWithEpsilon,
          .cost = [](const OpArgs&, std::span<const Type> outputs) -> OpCost {
            return {CostProduct({OutputElements(outputs), 2})};
          },
          .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)};
}
Result<ir::Literal> LikeX(const OpArgs& args, float value) {
  return ir::Literal::Float(args.TypeOf("x").dtype(), value);
}

Status InferClip(const OpArgs& args, std::vector<Type>* outputs) {
  if (args.opset() >= Opset::kIOS17) {
    ANEMONE_ASSIGN(double alpha, args.Float("alpha"));
    ANEMONE_ASSIGN(double beta, args.Float("beta"));
    if (!(alpha < beta)) {
      return Violates(kClipOrder, "alpha {} is not below beta {}", alpha, beta);
    }
  }
  return InferLikeX(args, outputs);
}

Status InferCast(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(std::string name, args.String("dtype"));
  const std::optional<DType> dtype = DTypeFromName(name);
  bool allowed = false;
  if (dtype) {
    switch (*dtype) {
      case DType::kFp16:
      case DType::kFp32:
      case DType::kInt32:
      case DType::kBool:
        allowed = true;
        break;
      case DType::kInt8:
      case DType::kUInt8:
      case DType::kInt16:
      case DType::kUInt16:
        allowed = args.opset() >= Opset::kIOS17;
        break;
      default:
        break;
    }
  }
  if (!allowed) {
    return Violates(kCastDType, "no cast to \"{}\" in {}", name, ir::OpsetName(args.opset()));
  }
  const Type& x = args.TypeOf("x");
  outputs->push_back(x.has_rank() ? Type::Tensor(*dtype, x.shape()) : Type::UnrankedTensor(*dtype));
  return {};
}

OpDef Cast() {
  return {.name = "cast",
          .doc =
              "The elements of x converted to the dtype named by dtype. Floats lose their "
              "fraction on the way to an integer; anything but 0 is true.",
          .params = {{.name = "x", .types = "T"},
                     {.name = "dtype", .types = "string", .constant = true}},
          .domains = {{.name = "T",
                       .dtypes = kCastDTypes,
                       .wider_since = Opset::kIOS17,
                       .wider_dtypes = kCastWiderDTypes}},
          .constraints = {{kCastDType,
                           "dtype is fp16, fp32, int32 or bool; from ios17 on also int8, uint8, "
                           "int16 or uint16."}},
          .infer = InferCast,
          .cost = NoCost,
          .traits = NamesItsDType(ElementRule::kComputed, SizeRule::kOfFirst),
          .integers_grow = true};
}

OpDef Clip() {
  return {.name = "clip",
          .doc = "Keeps x within [alpha, beta]: min(max(x, alpha), beta).",
          .params = {{.name = "x", .types = "T"},
                     {.name = "alpha", .types = "T", .constant = true},
                     {.name = "beta", .types = "T", .constant = true}},
          .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
          .constraints = {{kClipOrder, "From ios17 on, alpha is less than beta."}},
          .infer = InferClip,
          .cost = [](const OpArgs&, std::span<const Type> outputs) -> OpCost {
            return {CostProduct({OutputElements(outputs), 2})};
          },
          .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)};
}

OpDef Threshold() {
  return {
      .name = "threshold",
      .doc = "Raises small elements to a floor: max(x, alpha).",
      .params = {{.name = "x", .types = "T"}, {.name = "alpha", .types = "T", .constant = true}},
      .domains = {{.name = "T", .dtypes = "fp16 fp32 int32"}},
      .infer = InferLikeX,
      .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)};
}

}  // namespace

std::vector<OpDef> Defs() {
  constexpr std::string_view kFloat = "fp16 fp32";
  constexpr std::string_view kNumeric = "fp16 fp32 int32";
  return {
      WithGrowingIntegers(Unary("abs", kNumeric,
                                "Absolute value |x|. The smallest int32 stays as it is.",
                                ElementRule::kScaleWithFirst)),
      Unary("acos", kFloat, "Inverse cosine in radians, in [0, pi]; NaN outside [-1, 1]."),
      Unary("asin", kFloat, "Inverse sine in radians, in [-pi/2, pi/2]; NaN outside [-1, 1]."),
      Unary("atan", kFloat, "Inverse tangent in radians, in [-pi/2, pi/2]."),
      Unary("atanh", kFloat, "Inverse hyperbolic tangent; infinite at -1 and 1, NaN beyond."),
      Cast(),
      Unary("ceil", kFloat, "The smallest whole number that is not below x."),
      Clip(),
      Unary("cos", kFloat, "Cosine of x in radians."),
      Unary("cosh", kFloat, "Hyperbolic cosine of x."),
      Unary("erf", kFloat,
            "Gauss error function 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x."),
      Unary("exp", kFloat, "Exponential e^x."),
      WithGrowingIntegers(
          Unary("exp2", kNumeric, "Power 2^x; of an integer, the result rounded toward zero.")),
      Unary("floor", kFloat, "The largest whole number that is not above x."),
      WithEpsilon("inverse", "Reciprocal 1 / (x + epsilon).",
                  [](const OpArgs& args) { return LikeX(args, 1e-4f); }),
      WithEpsilon("log", "Natural logarithm of x + epsilon.",
                  [](const OpArgs& args) { return LikeX(args, 1e-45f); }),
      Unary("logical_not", "bool", "True where x is false."),
      Unary("round", kFloat, "The nearest whole number; halfway cases go to the even one."),
      WithEpsilon("rsqrt", "Reciprocal square root 1 / sqrt(x + epsilon).",
                  [](const OpArgs& args) { return LikeX(args, 1e-12f); }),
      Unary("sign", kNumeric, "-1, 0 or 1 by the sign of x; NaN stays NaN."),
      Unary("sin", kFloat, "Sine of x in radians."),
      Unary("sinh", kFloat, "Hyperbolic sine of x."),
      Unary("sqrt", kFloat, "Square root of x; NaN below 0."),
      WithGrowingIntegers(Unary("square", kNumeric, "x * x. Integers wrap around on overflow.")),
      Unary("tan", kFloat, "Tangent of x in radians."),
      Unary("tanh", kFloat, "Hyperbolic tangent of x."),
      Threshold(),
  };
}

}  // namespace anemone::ops::elementwise_unary
