// Operators on two tensors, element by element, with NumPy's broadcasting.
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::elementwise_binary {
namespace {

constexpr std::string_view kBroadcast = "elementwise_binary_c1";

Status InferArithmetic(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  ANEMONE_ASSIGN(Type type, BroadcastTypes(kBroadcast, x, args.TypeOf("y"), x.dtype()));
  outputs->push_back(std::move(type));
  return {};
}

Status InferTruth(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(Type type,
                 BroadcastTypes(kBroadcast, args.TypeOf("x"), args.TypeOf("y"), DType::kBool));
  outputs->push_back(std::move(type));
  return {};
}

OpDef Binary(std::string_view name, std::string_view dtypes, ir::InferFn infer,
             std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .params = {{.name = "x", .types = "T"}, {.name = "y", .types = "T"}},
          .domains = {{.name = "T", .dtypes = dtypes}},
          .constraints = {{kBroadcast,
                           "Aligned at the right, the dimensions of x and y are equal, or one of "
                           "them is 1 or missing."}},
          .infer = infer,
          .traits = TensorFunction(ElementRule::kComputed, SizeRule::kBroadcast)};
}

}  // namespace

std::vector<OpDef> Defs() {
  constexpr std::string_view kNumeric = "fp16 fp32 int32";
  constexpr std::string_view kBool = "bool";
  return {
      WithGrowingIntegers(
          Binary("add", kNumeric, InferArithmetic,
                 "Sum x + y of each pair of elements. Integers wrap around on overflow.")),
      Binary("equal", kNumeric, InferTruth, "True where x and y hold the same number."),
      WithGrowingIntegers(Binary(
          "floor_div", kNumeric, InferArithmetic,
          "Quotient x / y rounded down to a whole number. An integer divided by zero gives 0.")),
      Binary("greater", kNumeric, InferTruth, "True where x > y."),
      Binary("greater_equal", kNumeric, InferTruth, "True where x >= y."),
      Binary("less", kNumeric, InferTruth, "True where x < y."),
      Binary("less_equal", kNumeric, InferTruth, "True where x <= y."),
      Binary("logical_and", kBool, InferTruth, "True where both x and y are true."),
      Binary("logical_or", kBool, InferTruth, "True where x or y is true, or both."),
      Binary("logical_xor", kBool, InferTruth, "True where exactly one of x and y is true."),
      Binary("maximum", kNumeric, InferArithmetic,
             "The larger of x and y; NaN where either is NaN."),
      Binary("minimum", kNumeric, InferArithmetic,
             "The smaller of x and y; NaN where either is NaN."),
      Binary("mod", kNumeric, InferArithmetic,
             "Remainder x - y * floor(x / y): it has the sign of y. An integer modulo zero is 0."),
      WithGrowingIntegers(Binary("mul", kNumeric, InferArithmetic,
                                 "Product x * y. Integers wrap around on overflow.")),
      Binary("not_equal", kNumeric, InferTruth, "True where x and y differ; NaN differs from all."),
      WithGrowingIntegers(Binary("pow", kNumeric, InferArithmetic, "x raised to the power y.")),
      WithGrowingIntegers(
          Binary("real_div", kNumeric, InferArithmetic,
                 "Quotient x / y. Of integers, the quotient rounded toward zero, 0 for y = 0.")),
      WithGrowingIntegers(Binary("sub", kNumeric, InferArithmetic,
                                 "Difference x - y. Integers wrap around on overflow.")),
  };
}

}  // namespace anemone::ops::elementwise_binary
