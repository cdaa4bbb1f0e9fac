// ONNX: functions of one element, Clip, Cast.
#include <cmath>
#include <limits>

#include "onnx/converter.h"

namespace anemone::ops::elementwise_unary {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

Status CheckOne(const NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("{} has no input", c.node().op);
  return {};
}

// The operators that MIL has under another name.
struct Direct {
  std::string_view onnx, mil;
};
constexpr Direct kDirect[] = {
    {"Abs", "abs"},     {"Acos", "acos"}, {"Asin", "asin"},   {"Atan", "atan"},
    {"Atanh", "atanh"}, {"Ceil", "ceil"}, {"Cos", "cos"},     {"Cosh", "cosh"},
    {"Erf", "erf"},     {"Exp", "exp"},   {"Floor", "floor"}, {"Not", "logical_not"},
    {"Round", "round"}, {"Sign", "sign"}, {"Sin", "sin"},     {"Sinh", "sinh"},
    {"Sqrt", "sqrt"},   {"Tan", "tan"},   {"Tanh", "tanh"},
};

Status EmitDirect(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  for (const auto& row : kDirect) {
    if (row.onnx != c.node().op) continue;
    if (row.onnx != "Abs" || c.Dtype(0) != DType::kInt32)
      return c.Emit(row.mil, {{"x", c.Value(0)}});
    // The lowest number of a narrow type has no counterpart in it.
    return c.Set(0, c.Wrap(c.Op(row.mil, {{"x", c.Value(0)}}), c.Type(0)));
  }
  return Internal("no row for {}", c.node().op);
}

Status EmitLog(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  // MIL adds an epsilon unless it is told not to; the logarithm of 0 is minus infinity.
  return c.Emit("log", {{"x", c.Value(0)}, {"epsilon", ir::Literal::Fp32(0)}});
}

Status EmitNeg(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* minus = c.IsFloat(0) ? c.Float32(-1) : c.MakeConst(ir::Literal::Int32(-1), "minus");
  const DType type = c.Type(0);
  if (!IsInt(type) || BitWidth(type) >= 32) return c.Emit("mul", {{"x", c.Value(0)}, {"y", minus}});
  return c.Set(0, c.Wrap(c.Binary("mul", {c.Value(0), minus}), type));
}

// MIL's inverse adds an epsilon; a division does not.
Status EmitReciprocal(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  return c.Emit("real_div", {{"x", c.Float32(1)}, {"y", c.Value(0)}});
}

ir::Value* Log(NodeContext& c, ir::Value* x) {
  return c.Op("log", {{"x", x}, {"epsilon", ir::Literal::Fp32(0)}});
}

// log(1 + u) for u >= 0, also where 1 + u loses most of u's digits: the logarithm of the rounded sum
// s, times u / (s - 1), by which s is wrong.
ir::Value* LogOnePlus(NodeContext& c, ir::Value* u) {
  ir::Value* sum = c.Binary("add", {u, c.Float32(1)});
  ir::Value* added = c.Binary("sub", {sum, c.Float32(1)});
  ir::Value* lost = c.Op("equal", {{"x", added}, {"y", c.Float32(0)}});
  ir::Value* divisor = c.Op("select", {{"cond", lost}, {"a", c.Float32(1)}, {"b", added}});
  ir::Value* log = c.Binary("mul", {Log(c, sum), c.Binary("real_div", {u, divisor})});
  return c.Op("select", {{"cond", lost}, {"a", u}, {"b", log}});
}

// Where the square of x would leave float32's range (or half's), log(2x) is the same to the last
// digit.
constexpr float kLarge = 1e4f;
ir::Value* LogTwice(NodeContext& c, ir::Value* x) {
  return c.Binary("add", {Log(c, x), c.Float32(std::log(2.0f))});
}

// acosh(1 + t) = log(1 + (t + sqrt(t (t + 2)))).
Status EmitAcosh(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* x = c.Value(0);
  ir::Value* large = c.Binary("greater", {x, c.Float32(kLarge)});
  ir::Value* bounded = c.Op("minimum", {{"x", x}, {"y", c.Float32(kLarge)}});
  ir::Value* t = c.Binary("sub", {bounded, c.Float32(1)});
  ir::Value* root = c.Op("sqrt", {{"x", c.Binary("mul", {t, c.Binary("add", {t, c.Float32(2)})})}});
  ir::Value* small = LogOnePlus(c, c.Binary("add", {t, root}));
  return c.Emit("select", {{"cond", large}, {"a", LogTwice(c, x)}, {"b", small}});
}

// asinh(a) = log(1 + (a + a^2 / (1 + sqrt(a^2 + 1)))) for a = |x|.
Status EmitAsinh(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* x = c.Value(0);
  ir::Value* a = c.Op("abs", {{"x", x}});
  ir::Value* large = c.Binary("greater", {a, c.Float32(kLarge)});
  ir::Value* bounded = c.Op("minimum", {{"x", a}, {"y", c.Float32(kLarge)}});
  ir::Value* square = c.Binary("mul", {bounded, bounded});
  ir::Value* root = c.Op("sqrt", {{"x", c.Binary("add", {square, c.Float32(1)})}});
  ir::Value* rest = c.Binary("real_div", {square, c.Binary("add", {root, c.Float32(1)})});
  ir::Value* small = LogOnePlus(c, c.Binary("add", {bounded, rest}));
  ir::Value* y = c.Op("select", {{"cond", large}, {"a", LogTwice(c, a)}, {"b", small}});
  return c.Emit("mul", {{"x", c.Op("sign", {{"x", x}})}, {"y", y}});
}

Status EmitIsNan(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ir::Value* x = c.Value(0);
  return c.Emit("not_equal", {{"x", x}, {"y", x}});
}

Status EmitIsInf(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  const bool negative = c.Int("detect_negative", 1) != 0;
  const bool positive = c.Int("detect_positive", 1) != 0;
  const float infinity = std::numeric_limits<float>::infinity();
  ir::Value* x = c.Value(0);
  if (negative && positive) x = c.Op("abs", {{"x", x}});
  if (!negative && !positive) return Unsupported("IsInf that detects neither sign");
  return c.Emit("equal", {{"x", x}, {"y", c.Float32(positive ? infinity : -infinity)}});
}

// A bound of Clip: an attribute until opset 10, an input since then.
struct Bound {
  bool given = false;
  std::optional<double> value;  // absent when only the run time knows it
};
Result<Bound> ReadBound(const NodeContext& c, size_t input, std::string_view attribute) {
  Bound bound;
  if (c.opset() < 11) {
    bound.given = c.HasAttribute(attribute);
    if (bound.given) bound.value = c.Float(attribute, 0);
  } else if (c.Has(input)) {
    bound.given = true;
    if (c.Const(input) != nullptr) {
      ANEMONE_ASSIGN(bound.value, c.Number(input, attribute));
    }
  }
  // The largest and smallest floats are how exporters write "no bound".
  constexpr double kHuge = std::numeric_limits<float>::max();
  const bool lower = attribute == "min";
  // The program's integers have 32 bits: a bound beyond them is none.
  if (bound.value && !c.IsFloat(0) &&
      (lower ? *bound.value <= INT32_MIN : *bound.value >= INT32_MAX)) {
    bound = {};
  }
  if (bound.value && (lower ? *bound.value <= -kHuge : *bound.value >= kHuge)) bound = {};
  return bound;
}

Status EmitClip(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  ANEMONE_ASSIGN(const Bound low, ReadBound(c, 1, "min"));
  ANEMONE_ASSIGN(const Bound high, ReadBound(c, 2, "max"));
  if (!low.given && !high.given) return c.Forward(0, 0);
  ir::Value* x = c.Value(0);
  if (c.IsFloat(0) && low.value && high.value && *low.value <= *high.value) {
    if (*low.value == 0 && *high.value == 6) return c.Emit("relu6", {{"x", x}});
    return c.Emit("clip", {{"x", x},
                           {"alpha", ir::Literal::Fp32(static_cast<float>(*low.value))},
                           {"beta", ir::Literal::Fp32(static_cast<float>(*high.value))}});
  }
  if (c.IsFloat(0) && low.value && *low.value == 0 && !high.given) {
    return c.Emit("relu", {{"x", x}});
  }
  const auto bound = [&](size_t input, const Bound& b) {
    if (c.opset() < 11) return c.Float32(static_cast<float>(*b.value));
    return c.Reshape(c.Value(input), {});
  };
  // ONNX: the upper bound wins where they cross.
  if (!high.given) return c.Emit("maximum", {{"x", x}, {"y", bound(1, low)}});
  if (low.given) x = c.Binary("maximum", {x, bound(1, low)});
  return c.Emit("minimum", {{"x", x}, {"y", bound(2, high)}});
}

// Casts to `to`; `name` is the name of ONNX's dtype.
Status CastTo(NodeContext& c, DType to, const std::string& name) {
  if (to == DType::kInvalid || to == DType::kString || IsSubByte(to)) {
    return Unsupported("a cast to {}", name).Advise("remove the cast");
  }
  c.SetType(0, to);
  if (::anemone::IsFloat(to)) {
    ir::Value* x = c.IsFloat(0) ? nullptr : c.Cast(c.Value(0), DType::kFp32);
    if (to == DType::kFp16 && c.Type(0) != DType::kFp16) {
      // Floats have 32 bits in the program: rounded, and infinite where half precision ends.
      if (x == nullptr) x = c.Value(0);
      return c.Set(0, c.Cast(c.Cast(x, DType::kFp16), DType::kFp32));
    }
    if (x != nullptr) return c.Set(0, x);
    ANEMONE_TRY(c.Forward(0, 0));
    c.SetType(0, to);
    return {};
  }
  if (to == DType::kBool) {
    if (c.Dtype(0) == DType::kBool) return c.Forward(0, 0);
    return c.Set(0, c.Cast(c.Value(0), DType::kBool));
  }
  // Integers are int32 in the program; what a narrow type does not hold wraps around.
  ir::Value* x = c.Cast(c.Value(0), DType::kInt32);
  const DType from = c.Type(0);
  const bool fits = from == to || (IsInt(from) && BitWidth(from) < BitWidth(to) &&
                                   (IsSignedInt(to) || !IsSignedInt(from)));
  return c.Set(0, fits || c.Dtype(0) == DType::kBool ? x : c.Wrap(x, to));
}

Status EmitCast(NodeContext& c) {
  ANEMONE_TRY(CheckOne(c));
  const auto type = static_cast<int32_t>(c.Int("to", 0));
  return CastTo(c, ToDType(type), ElementTypeName(type));
}

Status EmitCastLike(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("CastLike needs two inputs");
  const DType to = c.Type(1);
  return CastTo(c, to, std::string(DTypeName(to)));
}

#define ANEMONE_DIRECT(name) {.op = name, .emit = EmitDirect}

constexpr Converter kConverters[] = {
    ANEMONE_DIRECT("Abs"),
    ANEMONE_DIRECT("Acos"),
    ANEMONE_DIRECT("Asin"),
    ANEMONE_DIRECT("Atan"),
    ANEMONE_DIRECT("Atanh"),
    ANEMONE_DIRECT("Ceil"),
    ANEMONE_DIRECT("Cos"),
    ANEMONE_DIRECT("Cosh"),
    ANEMONE_DIRECT("Erf"),
    ANEMONE_DIRECT("Exp"),
    ANEMONE_DIRECT("Floor"),
    ANEMONE_DIRECT("Not"),
    ANEMONE_DIRECT("Round"),
    ANEMONE_DIRECT("Sign"),
    ANEMONE_DIRECT("Sin"),
    ANEMONE_DIRECT("Sinh"),
    ANEMONE_DIRECT("Sqrt"),
    ANEMONE_DIRECT("Tan"),
    ANEMONE_DIRECT("Tanh"),
    {.op = "Acosh", .emit = EmitAcosh},
    {.op = "Asinh", .emit = EmitAsinh},
    {.op = "Cast", .emit = EmitCast},
    {.op = "CastLike", .emit = EmitCastLike},
    {.op = "Clip", .emit = EmitClip},
    {.op = "IsInf", .emit = EmitIsInf},
    {.op = "IsNaN", .emit = EmitIsNan},
    {.op = "Log", .emit = EmitLog},
    {.op = "Neg", .emit = EmitNeg},
    {.op = "Reciprocal", .emit = EmitReciprocal},
};

#undef ANEMONE_DIRECT

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::elementwise_unary
