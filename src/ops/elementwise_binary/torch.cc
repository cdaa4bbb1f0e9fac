// PyTorch: arithmetic, comparisons and logic of two operands, with PyTorch's promotion of types. The
// arithmetic of symbolic sizes (_operator.add and so on) is the same on integers.
#include <algorithm>
#include <array>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::elementwise_binary {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// The names that the two operands have in the schema.
struct Sides {
  std::string_view left = "self";
  std::string_view right = "other";
};

Sides SidesOf(const Context& c) {
  if (c.Has("self") && c.Has("exponent")) return {"self", "exponent"};
  if (c.Has("input") && c.Has("other")) return {"input", "other"};
  if (c.Has("a") && c.Has("b")) return {"a", "b"};
  return {};
}

Category Promoted(const Context& c, const Sides& sides) {
  return std::max(c.CategoryOf(sides.left), c.CategoryOf(sides.right));
}

struct Operands {
  std::string x, y;
};

Operands In(Context& c, Category category) {
  const Sides sides = SidesOf(c);
  // In this order: the graph is the same whatever compiler made this.
  std::string x = c.Operand(sides.left, category);
  std::string y = c.Operand(sides.right, category);
  return {std::move(x), std::move(y)};
}

// self + alpha * other
Status Sum(Context& c, const std::string& op) {
  const Category category = c.OutCategory();
  if (category == Category::kBool) {
    const Operands o = In(c, category);
    return c.Set(0, c.Op("Or", {o.x, o.y}));
  }
  Operands o = In(c, category);
  const double alpha = c.Number("alpha", 1);
  if (alpha != 1) o.y = c.Op("Mul", {o.y, c.Constant(alpha, category)});
  return c.Set(0, c.Op(op, {o.x, o.y}));
}

Status EmitAdd(Context& c) { return Sum(c, "Add"); }
Status EmitSub(Context& c) { return Sum(c, "Sub"); }

Status EmitRsub(Context& c) {
  const Category category = c.OutCategory();
  std::string x = c.Operand("self", category);
  const std::string y = c.Operand("other", category);
  const double alpha = c.Number("alpha", 1);
  if (alpha != 1) x = c.Op("Mul", {x, c.Constant(alpha, category)});
  return c.Set(0, c.Op("Sub", {y, x}));
}

Status EmitMul(Context& c) {
  const Category category = c.OutCategory();
  const Operands o = In(c, category);
  return c.Set(0, c.Op(category == Category::kBool ? "And" : "Mul", {o.x, o.y}));
}

std::string Trunc(Context& c, const std::string& x) {
  return c.Op("Mul", {c.Op("Sign", {x}), c.Op("Floor", {c.Op("Abs", {x})})});
}

// x - floor(x / y) * y of integers, rounded toward minus infinity. ONNX divides integers toward zero.
std::string FlooredQuotient(Context& c, const Operands& o) {
  // Mod has the sign of the divisor, so that what is left divides evenly.
  return c.Op("Div", {c.Op("Sub", {o.x, c.Op("Mod", {o.x, o.y})}), o.y});
}

// The same in the type of the output: in fewer than 32 bits the difference above may have no place.
std::string FlooredQuotientOfAnyWidth(Context& c, const Operands& o) {
  const DType type = c.Out(0).dtype();
  if (BitWidth(type) >= 32) return FlooredQuotient(c, o);
  const Operands wide = {c.Cast(o.x, DType::kInt64), c.Cast(o.y, DType::kInt64)};
  return c.Cast(FlooredQuotient(c, wide), type);
}

Status Divided(Context& c, const std::string& mode) {
  if (mode.empty()) {
    const Operands o = In(c, Category::kFloat);
    return c.SetAs(0, c.Op("Div", {o.x, o.y}), Category::kFloat);
  }
  const Category category = std::max(Promoted(c, SidesOf(c)), Category::kInt);
  const Operands o = In(c, category);
  if (category == Category::kInt)
    return c.Set(0, mode == "floor" ? FlooredQuotientOfAnyWidth(c, o) : c.Op("Div", {o.x, o.y}));
  const std::string quotient = c.Op("Div", {o.x, o.y});
  return c.Set(0, mode == "floor" ? c.Op("Floor", {quotient}) : Trunc(c, quotient));
}

Status EmitDiv(Context& c) { return Divided(c, c.Text("rounding_mode", "")); }
Status EmitFloorDivide(Context& c) { return Divided(c, "floor"); }

// The sign of the divisor.
Status EmitRemainder(Context& c) {
  const Category category = std::max(Promoted(c, SidesOf(c)), Category::kInt);
  const Operands o = In(c, category);
  if (category == Category::kInt) return c.Set(0, c.Op("Mod", {o.x, o.y}));
  const std::string floor = c.Op("Floor", {c.Op("Div", {o.x, o.y})});
  return c.Set(0, c.Op("Sub", {o.x, c.Op("Mul", {floor, o.y})}));
}

// The sign of the dividend.
Status EmitFmod(Context& c) {
  const Category category = std::max(Promoted(c, SidesOf(c)), Category::kInt);
  const Operands o = In(c, category);
  const std::string quotient =
      category == Category::kInt ? c.Op("Div", {o.x, o.y}) : Trunc(c, c.Op("Div", {o.x, o.y}));
  return c.Set(0, c.Op("Sub", {o.x, c.Op("Mul", {quotient, o.y})}));
}

Status EmitPow(Context& c) {
  const Category category = c.OutCategory();
  const Sides sides = SidesOf(c);
  const std::string x = c.Operand(sides.left, category);
  // A known exponent becomes what is exact and cheap.
  if (!c.IsTensor(sides.right)) {
    const double power = c.Number(sides.right, 1);
    if (power == 1) return c.Set(0, x);
    if (power == 2) return c.Set(0, c.Op("Mul", {x, x}));
    if (power == 3) return c.Set(0, c.Op("Mul", {c.Op("Mul", {x, x}), x}));
    if (power == 0.5 && category == Category::kFloat) return c.Set(0, c.Op("Sqrt", {x}));
    if (power == -1 && category == Category::kFloat) return c.Set(0, c.Op("Reciprocal", {x}));
    if (power == -0.5 && category == Category::kFloat)
      return c.Set(0, c.Op("Reciprocal", {c.Op("Sqrt", {x})}));
  }
  return c.Set(0, c.Op("Pow", {x, c.Operand(sides.right, category)}));
}

Status Compared(Context& c, const std::string& op, bool negated = false) {
  const Category category = std::max(Promoted(c, SidesOf(c)), Category::kInt);
  const Operands o = In(c, category);
  std::string y = c.Op(op, {o.x, o.y});
  if (negated) y = c.Op("Not", {y});
  return c.Set(0, y);
}

Status EmitEqual(Context& c) { return Compared(c, "Equal"); }
Status EmitNotEqual(Context& c) { return Compared(c, "Equal", true); }
Status EmitLess(Context& c) { return Compared(c, "Less"); }
Status EmitLessEqual(Context& c) { return Compared(c, "LessOrEqual"); }
Status EmitGreater(Context& c) { return Compared(c, "Greater"); }
Status EmitGreaterEqual(Context& c) { return Compared(c, "GreaterOrEqual"); }

Status Logical(Context& c, const std::string& op) {
  const Operands o = In(c, Category::kBool);
  return c.Set(0, c.Op(op, {o.x, o.y}));
}

Status EmitLogicalAnd(Context& c) { return Logical(c, "And"); }
Status EmitLogicalOr(Context& c) { return Logical(c, "Or"); }
Status EmitLogicalXor(Context& c) { return Logical(c, "Xor"); }

Status Bitwise(Context& c, const std::string& logical, const std::string& bits) {
  if (c.OutCategory() == Category::kBool) return Logical(c, logical);
  const Operands o = In(c, Category::kInt);
  return c.Set(0, c.Op(bits, {o.x, o.y}));
}

Status EmitBitwiseAnd(Context& c) { return Bitwise(c, "And", "BitwiseAnd"); }
Status EmitBitwiseOr(Context& c) { return Bitwise(c, "Or", "BitwiseOr"); }
Status EmitBitwiseXor(Context& c) { return Bitwise(c, "Xor", "BitwiseXor"); }

Status Extreme(Context& c, const std::string& op) {
  const Operands o = In(c, c.OutCategory());
  return c.Set(0, c.Op(op, {o.x, o.y}));
}

Status EmitMaximum(Context& c) { return Extreme(c, "Max"); }
Status EmitMinimum(Context& c) { return Extreme(c, "Min"); }

// self + value * tensor1 * tensor2
Status EmitAddcmul(Context& c) {
  const Category category = c.OutCategory();
  std::string y = c.Op("Mul", {c.Operand("tensor1", category), c.Operand("tensor2", category)});
  const double value = c.Number("value", 1);
  if (value != 1) y = c.Op("Mul", {y, c.Constant(value, category)});
  return c.Set(0, c.Op("Add", {c.Operand("self", category), y}));
}

Status EmitAddcdiv(Context& c) {
  std::string y = c.Op("Div", {c.FloatIn("tensor1"), c.FloatIn("tensor2")});
  const double value = c.Number("value", 1);
  if (value != 1) y = c.Op("Mul", {y, c.Number(value)});
  return c.Set(0, c.Op("Add", {c.FloatIn("self"), y}));
}

// self + weight * (end - self)
Status EmitLerp(Context& c) {
  const std::string x = c.FloatIn("self");
  const std::string step = c.Op("Sub", {c.FloatIn("end"), x});
  return c.Set(0, c.Op("Add", {x, c.Op("Mul", {c.Operand("weight", Category::kFloat), step})}));
}

Status EmitHypot(Context& c) {
  const Operands o = In(c, Category::kFloat);
  return c.Set(0, c.Op("Sqrt", {c.Op("Add", {c.Op("Mul", {o.x, o.x}), c.Op("Mul", {o.y, o.y})})}));
}

// The angle of (x, y): atan(y / x), moved by pi in the quadrants of the left.
Status EmitAtan2(Context& c) {
  constexpr double kPi = 3.14159265358979323846;
  const std::string y = c.Operand("self", Category::kFloat);
  const std::string x = c.Operand("other", Category::kFloat);
  const std::string zero = c.Number(0);
  const std::string on_axis = c.Op("Equal", {x, zero});
  const std::string divisor = c.Op("Where", {on_axis, c.Number(1), x});
  const std::string angle = c.Op("Atan", {c.Op("Div", {y, divisor})});
  const std::string below = c.Op("Less", {y, zero});
  const std::string turn = c.Op("Where", {below, c.Number(-kPi), c.Number(kPi)});
  const std::string left = c.Op("Where", {c.Op("Less", {x, zero}), turn, zero});
  const std::string upright = c.Op("Mul", {c.Op("Sign", {y}), c.Number(kPi / 2)});
  return c.Set(0, c.Op("Where", {on_axis, upright, c.Op("Add", {angle, left})}));
}

Status EmitHeaviside(Context& c) {
  const std::string x = c.FloatIn("self"), zero = c.Number(0);
  const std::string positive = c.Cast(c.Op("Greater", {x, zero}), DType::kFp32);
  return c.Set(0, c.Op("Where", {c.Op("Equal", {x, zero}), c.FloatIn("values"), positive}));
}

Status EmitXlogy(Context& c) {
  const Operands o = In(c, Category::kFloat);
  const std::string product = c.Op("Mul", {o.x, c.Op("Log", {o.y})});
  return c.Set(0, c.Op("Where", {c.Op("Equal", {o.x, c.Number(0)}), c.Number(0), product}));
}

// |a - b| <= atol + rtol * |b|, of every element.
Status EmitIsClose(Context& c) {
  const Operands o = In(c, Category::kFloat);
  const std::string distance = c.Op("Abs", {c.Op("Sub", {o.x, o.y})});
  const std::string relative = c.Op("Mul", {c.Op("Abs", {o.y}), c.Number(c.Number("rtol", 1e-5))});
  const std::string most = c.Op("Add", {relative, c.Number(c.Number("atol", 1e-8))});
  return c.Set(0, c.Op("LessOrEqual", {distance, most}));
}

// a x b of vectors of three along an axis.
Status EmitCross(Context& c) {
  const int64_t rank = c.Out(0).rank();
  int64_t axis = -1;
  if (c.Has("dim")) {
    axis = c.Axis("dim", -1, rank);
  } else if (c.node().target == "aten.cross.default") {
    for (int64_t d = 0; d < rank && axis < 0; ++d) axis = c.Dim("self", d) == 3 ? d : -1;
  } else {
    axis = rank - 1;
  }
  if (axis < 0) return InvalidInput("none of its axes has the size 3");
  const Operands o = In(c, c.OutCategory());
  const auto turned = [&](const std::string& x, std::vector<int64_t> order) {
    return c.Op("Gather", {x, c.Int64s(std::move(order))}, {Int("axis", axis)});
  };
  const std::string one = c.Op("Mul", {turned(o.x, {1, 2, 0}), turned(o.y, {2, 0, 1})});
  const std::string other = c.Op("Mul", {turned(o.x, {2, 0, 1}), turned(o.y, {1, 2, 0})});
  return c.Set(0, c.Op("Sub", {one, other}));
}

// log(exp(x) + exp(y)), with the larger one taken out.
Status EmitLogAddExp(Context& c) {
  const Operands o = In(c, Category::kFloat);
  const std::string most = c.Op("Max", {o.x, o.y});
  const std::string distance = c.Op("Neg", {c.Op("Abs", {c.Op("Sub", {o.x, o.y})})});
  const std::string rest = c.Op("Log", {c.Op("Add", {c.Op("Exp", {distance}), c.Number(1)})});
  return c.Set(0, c.Op("Add", {most, rest}));
}

Status EmitCopySign(Context& c) {
  const Operands o = In(c, Category::kFloat);
  const std::string size = c.Op("Abs", {o.x});
  const std::string negative = c.Op("Less", {o.y, c.Number(0)});
  return c.Set(0, c.Op("Where", {negative, c.Op("Neg", {size}), size}));
}

Status Shifted(Context& c, bool left) {
  // By powers of two, since MIL has no shifts.
  const Operands o = In(c, Category::kInt);
  const std::string factor =
      c.Cast(c.Op("Pow", {c.Number(2), c.Cast(o.y, DType::kFp32)}), DType::kInt64);
  if (left) return c.Set(0, c.Op("Mul", {o.x, factor}));
  return c.Set(0, FlooredQuotientOfAnyWidth(c, {o.x, factor}));
}

Status EmitShiftLeft(Context& c) { return Shifted(c, true); }
Status EmitShiftRight(Context& c) { return Shifted(c, false); }

// ---- symbolic numbers: sizes are int64 scalars, what is divided from them float ones, comparisons bool

// Argument `index`, a number, as a scalar of the category.
std::string NumberAt(Context& c, size_t index, Category category) {
  if (index >= c.node().inputs.size()) {
    (void)c.Fail(InvalidInput("it has {} operands", c.node().inputs.size()));
    return {};
  }
  const Argument& argument = c.node().inputs[index].value;
  if (argument.kind == Argument::Kind::kFloat) {
    return argument.names.empty() ? c.As(c.Number(argument.numbers[0]), Category::kFloat, category)
                                  : c.As(c.ValueOf(argument.names[0]), Category::kFloat, category);
  }
  if (argument.ints.empty()) {
    (void)c.Fail(Unsupported("arithmetic of sizes that is not on numbers")
                     .Advise("export with fixed sizes"));
    return {};
  }
  const Category own = argument.kind == Argument::Kind::kBool ? Category::kBool : Category::kInt;
  if (own == Category::kBool && argument.ints[0].name.empty())
    return c.As(c.Constant(static_cast<double>(argument.ints[0].value), own), own, category);
  return c.As(c.IntValue(argument.ints[0]), own, category);
}

bool AnyFloat(const Context& c) {
  return std::ranges::any_of(c.node().inputs, [](const NamedArgument& input) {
    return input.value.kind == Argument::Kind::kFloat;
  });
}

Status Sizes(Context& c, const std::string& op) {
  const Category category = AnyFloat(c) ? Category::kFloat : Category::kInt;
  const std::string x = NumberAt(c, 0, category), y = NumberAt(c, 1, category);
  if (op == "FloorDiv") {
    if (category == Category::kFloat) return c.Set(0, c.Op("Floor", {c.Op("Div", {x, y})}));
    return c.Set(0, FlooredQuotient(c, {x, y}));
  }
  if (op == "Mod" && category == Category::kFloat)
    return Unsupported("the remainder of a fraction").Advise("export with fixed sizes");
  return c.Set(0, c.Op(op, {x, y}));
}

Status EmitSizeAdd(Context& c) { return Sizes(c, "Add"); }
Status EmitSizeSub(Context& c) { return Sizes(c, "Sub"); }
Status EmitSizeMul(Context& c) { return Sizes(c, "Mul"); }
Status EmitSizeFloorDiv(Context& c) { return Sizes(c, "FloorDiv"); }
Status EmitSizeMod(Context& c) { return Sizes(c, "Mod"); }
Status EmitSizeMin(Context& c) { return Sizes(c, "Min"); }
Status EmitSizeMax(Context& c) { return Sizes(c, "Max"); }
Status EmitSizeLess(Context& c) { return Sizes(c, "Less"); }
Status EmitSizeLessEqual(Context& c) { return Sizes(c, "LessOrEqual"); }
Status EmitSizeGreater(Context& c) { return Sizes(c, "Greater"); }
Status EmitSizeGreaterEqual(Context& c) { return Sizes(c, "GreaterOrEqual"); }
Status EmitSizeEqual(Context& c) { return Sizes(c, "Equal"); }
Status EmitSizeNotEqual(Context& c) {
  const Category category = AnyFloat(c) ? Category::kFloat : Category::kInt;
  return c.Set(0,
               c.Op("Not", {c.Op("Equal", {NumberAt(c, 0, category), NumberAt(c, 1, category)})}));
}
Status EmitSizeAnd(Context& c) {
  return c.Set(0, c.Op("And", {NumberAt(c, 0, Category::kBool), NumberAt(c, 1, Category::kBool)}));
}
Status EmitSizeOr(Context& c) {
  return c.Set(0, c.Op("Or", {NumberAt(c, 0, Category::kBool), NumberAt(c, 1, Category::kBool)}));
}
Status EmitSizeNot(Context& c) { return c.Set(0, c.Op("Not", {NumberAt(c, 0, Category::kBool)})); }
Status EmitSizeDiv(Context& c) {
  return c.Set(0,
               c.Op("Div", {NumberAt(c, 0, Category::kFloat), NumberAt(c, 1, Category::kFloat)}));
}
Status EmitSizeFloat(Context& c) { return c.Set(0, NumberAt(c, 0, Category::kFloat)); }
// Integer powers of sizes are integers, unless the exponent is negative.
Status EmitSizePow(Context& c) {
  const bool two = c.node().inputs.size() == 2 && !c.node().inputs[1].value.ints.empty();
  const IntItem exponent = two ? c.node().inputs[1].value.ints[0] : IntItem{};
  if (!AnyFloat(c) && two && exponent.name.empty() && exponent.value >= 0 && exponent.value < 64) {
    std::string product = c.Int64(1);
    const std::string base = NumberAt(c, 0, Category::kInt);
    for (int64_t i = 0; i < exponent.value; ++i) product = c.Op("Mul", {product, base});
    return c.Set(0, product);
  }
  if (!AnyFloat(c)) {
    return Unsupported("a power of sizes that is no whole number")
        .Advise("export with fixed sizes");
  }
  return c.Set(0,
               c.Op("Pow", {NumberAt(c, 0, Category::kFloat), NumberAt(c, 1, Category::kFloat)}));
}
Status EmitSizeSqrt(Context& c) {
  return c.Set(0, c.Op("Sqrt", {NumberAt(c, 0, Category::kFloat)}));
}
// A whole number of a fraction.
Status Whole(Context& c, const char* op) {
  if (!AnyFloat(c)) return c.Set(0, NumberAt(c, 0, Category::kInt));
  std::string value = NumberAt(c, 0, Category::kFloat);
  if (*op != 0) value = c.Op(op, {value});
  return c.Set(0, c.Cast(value, DType::kInt64));
}
Status EmitSizeFloor(Context& c) { return Whole(c, "Floor"); }
Status EmitSizeCeil(Context& c) { return Whole(c, "Ceil"); }
Status EmitSizeTrunc(Context& c) { return Whole(c, ""); }
Status EmitSizeRound(Context& c) { return Whole(c, "Round"); }
Status EmitSizeNeg(Context& c) {
  return c.Set(0, c.Op("Neg", {NumberAt(c, 0, AnyFloat(c) ? Category::kFloat : Category::kInt)}));
}

constexpr Converter kConverters[] = {
    {.target = "aten.add.Tensor", .emit = EmitAdd},
    {.target = "aten.add.Scalar", .emit = EmitAdd},
    {.target = "aten.sub.Tensor", .emit = EmitSub},
    {.target = "aten.sub.Scalar", .emit = EmitSub},
    {.target = "aten.subtract.Tensor", .emit = EmitSub},
    {.target = "aten.rsub.Scalar", .emit = EmitRsub},
    {.target = "aten.rsub.Tensor", .emit = EmitRsub},
    {.target = "aten.mul.Tensor", .emit = EmitMul},
    {.target = "aten.mul.Scalar", .emit = EmitMul},
    {.target = "aten.multiply.Tensor", .emit = EmitMul},
    {.target = "aten.div.Tensor", .emit = EmitDiv},
    {.target = "aten.div.Scalar", .emit = EmitDiv},
    {.target = "aten.div.Tensor_mode", .emit = EmitDiv},
    {.target = "aten.div.Scalar_mode", .emit = EmitDiv},
    {.target = "aten.divide.Tensor", .emit = EmitDiv},
    {.target = "aten.true_divide.Tensor", .emit = EmitDiv},
    {.target = "aten.floor_divide.default", .emit = EmitFloorDivide},
    {.target = "aten.floor_divide.Scalar", .emit = EmitFloorDivide},
    {.target = "aten.floor_divide.Tensor", .emit = EmitFloorDivide},
    {.target = "aten.remainder.Tensor", .emit = EmitRemainder},
    {.target = "aten.remainder.Scalar", .emit = EmitRemainder},
    {.target = "aten.remainder.Scalar_Tensor", .emit = EmitRemainder},
    {.target = "aten.fmod.Tensor", .emit = EmitFmod},
    {.target = "aten.fmod.Scalar", .emit = EmitFmod},
    {.target = "aten.pow.Tensor_Scalar", .emit = EmitPow},
    {.target = "aten.pow.Tensor_Tensor", .emit = EmitPow},
    {.target = "aten.pow.Scalar", .emit = EmitPow},
    {.target = "aten.eq.Tensor", .emit = EmitEqual},
    {.target = "aten.eq.Scalar", .emit = EmitEqual},
    {.target = "aten.ne.Tensor", .emit = EmitNotEqual},
    {.target = "aten.ne.Scalar", .emit = EmitNotEqual},
    {.target = "aten.not_equal.Tensor", .emit = EmitNotEqual},
    {.target = "aten.lt.Tensor", .emit = EmitLess},
    {.target = "aten.lt.Scalar", .emit = EmitLess},
    {.target = "aten.less.Tensor", .emit = EmitLess},
    {.target = "aten.le.Tensor", .emit = EmitLessEqual},
    {.target = "aten.le.Scalar", .emit = EmitLessEqual},
    {.target = "aten.gt.Tensor", .emit = EmitGreater},
    {.target = "aten.gt.Scalar", .emit = EmitGreater},
    {.target = "aten.greater.Tensor", .emit = EmitGreater},
    {.target = "aten.ge.Tensor", .emit = EmitGreaterEqual},
    {.target = "aten.ge.Scalar", .emit = EmitGreaterEqual},
    {.target = "aten.logical_and.default", .emit = EmitLogicalAnd},
    {.target = "aten.logical_or.default", .emit = EmitLogicalOr},
    {.target = "aten.logical_xor.default", .emit = EmitLogicalXor},
    {.target = "aten.bitwise_and.Tensor", .emit = EmitBitwiseAnd},
    {.target = "aten.bitwise_and.Scalar", .emit = EmitBitwiseAnd},
    {.target = "aten.bitwise_or.Tensor", .emit = EmitBitwiseOr},
    {.target = "aten.bitwise_or.Scalar", .emit = EmitBitwiseOr},
    {.target = "aten.bitwise_xor.Tensor", .emit = EmitBitwiseXor},
    {.target = "aten.bitwise_xor.Scalar", .emit = EmitBitwiseXor},
    {.target = "aten.__and__.Tensor", .emit = EmitBitwiseAnd},
    {.target = "aten.__and__.Scalar", .emit = EmitBitwiseAnd},
    {.target = "aten.__or__.Tensor", .emit = EmitBitwiseOr},
    {.target = "aten.__or__.Scalar", .emit = EmitBitwiseOr},
    {.target = "aten.__xor__.Tensor", .emit = EmitBitwiseXor},
    {.target = "aten.__xor__.Scalar", .emit = EmitBitwiseXor},
    {.target = "aten.bitwise_left_shift.Tensor", .emit = EmitShiftLeft},
    {.target = "aten.bitwise_left_shift.Tensor_Scalar", .emit = EmitShiftLeft},
    {.target = "aten.__lshift__.Scalar", .emit = EmitShiftLeft},
    {.target = "aten.__lshift__.Tensor", .emit = EmitShiftLeft},
    {.target = "aten.bitwise_right_shift.Tensor", .emit = EmitShiftRight},
    {.target = "aten.bitwise_right_shift.Tensor_Scalar", .emit = EmitShiftRight},
    {.target = "aten.__rshift__.Scalar", .emit = EmitShiftRight},
    {.target = "aten.__rshift__.Tensor", .emit = EmitShiftRight},
    {.target = "aten.maximum.default", .emit = EmitMaximum},
    {.target = "aten.max.other", .emit = EmitMaximum},
    {.target = "aten.fmax.default", .emit = EmitMaximum},
    {.target = "aten.minimum.default", .emit = EmitMinimum},
    {.target = "aten.min.other", .emit = EmitMinimum},
    {.target = "aten.fmin.default", .emit = EmitMinimum},
    {.target = "aten.addcmul.default", .emit = EmitAddcmul},
    {.target = "aten.addcdiv.default", .emit = EmitAddcdiv},
    {.target = "aten.lerp.Scalar", .emit = EmitLerp},
    {.target = "aten.lerp.Tensor", .emit = EmitLerp},
    {.target = "aten.hypot.default", .emit = EmitHypot},
    {.target = "aten.atan2.default", .emit = EmitAtan2},
    {.target = "aten.arctan2.default", .emit = EmitAtan2},
    {.target = "aten.heaviside.default", .emit = EmitHeaviside},
    {.target = "aten.xlogy.Tensor", .emit = EmitXlogy},
    {.target = "aten.isclose.default", .emit = EmitIsClose},
    {.target = "aten.cross.default", .emit = EmitCross},
    {.target = "aten.linalg_cross.default", .emit = EmitCross},
    {.target = "aten.logaddexp.default", .emit = EmitLogAddExp},
    {.target = "aten.copysign.Tensor", .emit = EmitCopySign},
    {.target = "aten.copysign.Scalar", .emit = EmitCopySign},
    {.target = "_operator.add", .emit = EmitSizeAdd},
    {.target = "_operator.sub", .emit = EmitSizeSub},
    {.target = "_operator.mul", .emit = EmitSizeMul},
    {.target = "_operator.floordiv", .emit = EmitSizeFloorDiv},
    {.target = "_operator.mod", .emit = EmitSizeMod},
    {.target = "_operator.neg", .emit = EmitSizeNeg},
    {.target = "torch.sym_min", .emit = EmitSizeMin},
    {.target = "torch.sym_max", .emit = EmitSizeMax},
    {.target = "_operator.lt", .emit = EmitSizeLess},
    {.target = "_operator.le", .emit = EmitSizeLessEqual},
    {.target = "_operator.gt", .emit = EmitSizeGreater},
    {.target = "_operator.ge", .emit = EmitSizeGreaterEqual},
    {.target = "_operator.eq", .emit = EmitSizeEqual},
    {.target = "_operator.ne", .emit = EmitSizeNotEqual},
    {.target = "_operator.and_", .emit = EmitSizeAnd},
    {.target = "_operator.or_", .emit = EmitSizeOr},
    {.target = "torch.sym_not", .emit = EmitSizeNot},
    {.target = "_operator.truediv", .emit = EmitSizeDiv},
    {.target = "_operator.pow", .emit = EmitSizePow},
    {.target = "torch.sym_float", .emit = EmitSizeFloat},
    {.target = "torch.sym_int", .emit = EmitSizeTrunc},
    {.target = "torch._sym_sqrt", .emit = EmitSizeSqrt},
    {.target = "math.floor", .emit = EmitSizeFloor},
    {.target = "math.ceil", .emit = EmitSizeCeil},
    {.target = "math.trunc", .emit = EmitSizeTrunc},
    {.target = "_operator.round", .emit = EmitSizeRound},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::elementwise_binary
