// PyTorch: functions of one element, and changes of its type.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::elementwise_unary {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

std::string_view NameOfInput(Context& c) { return c.Has("self") ? "self" : "input"; }

// Operators that give floats, of whatever they are given.
struct FloatOp {
  std::string_view aten;
  std::string_view onnx;
};
constexpr std::array kFloatOps = std::to_array<FloatOp>({
    {"exp", "Exp"},     {"log", "Log"},     {"sqrt", "Sqrt"},   {"sin", "Sin"},
    {"cos", "Cos"},     {"tan", "Tan"},     {"asin", "Asin"},   {"acos", "Acos"},
    {"atan", "Atan"},   {"sinh", "Sinh"},   {"cosh", "Cosh"},   {"asinh", "Asinh"},
    {"acosh", "Acosh"}, {"atanh", "Atanh"}, {"erf", "Erf"},     {"reciprocal", "Reciprocal"},
    {"arcsin", "Asin"}, {"arccos", "Acos"}, {"arctan", "Atan"}, {"special_erf", "Erf"},
});

// "aten.exp.default" -> "exp".
std::string BaseName(const Context& c) {
  const std::string& target = c.node().target;
  const size_t first = target.find('.');
  const size_t second = target.find('.', first + 1);
  return target.substr(first + 1, second - first - 1);
}

Status EmitFloat(Context& c) {
  const std::string name = BaseName(c);
  const auto found = std::ranges::find(kFloatOps, name, &FloatOp::aten);
  if (found == kFloatOps.end()) return Internal("no operator for {}", name);
  return c.Set(0, c.Op(std::string(found->onnx), {c.FloatIn(NameOfInput(c))}));
}

// Operators that keep the type; of integers the rounding ones do nothing.
Status Kept(Context& c, std::string op, bool rounds) {
  const auto name = NameOfInput(c);
  if (rounds && c.CategoryOf(name) != Category::kFloat) return c.Set(0, c.Need(name));
  return c.Set(0, c.Op(std::move(op), {c.Need(name)}));
}

Status EmitFloor(Context& c) { return Kept(c, "Floor", true); }
Status EmitCeil(Context& c) { return Kept(c, "Ceil", true); }

Status EmitAbs(Context& c) {
  // Of a complex tensor, whose parts are its last dimension: their length.
  if (c.Meta("self").type == ScalarType::kComplexFloat ||
      c.Meta("self").type == ScalarType::kComplexDouble)
    return c.Set(0, c.Op("ReduceL2", {c.Need("self"), c.Int64s({-1})}, {Int("keepdims", 0)}));
  return Kept(c, "Abs", false);
}

Status EmitNeg(Context& c) { return Kept(c, "Neg", false); }
Status EmitSign(Context& c) { return Kept(c, "Sign", false); }

Status EmitRound(Context& c) {
  const int64_t decimals = c.Int("decimals", 0);
  if (decimals == 0) return Kept(c, "Round", true);
  const std::string scale = c.Number(std::pow(10.0, static_cast<double>(decimals)));
  const std::string y = c.Op("Round", {c.Op("Mul", {c.FloatIn("self"), scale})});
  return c.Set(0, c.Op("Div", {y, scale}));
}

std::string Truncated(Context& c, const std::string& x) {
  return c.Op("Mul", {c.Op("Sign", {x}), c.Op("Floor", {c.Op("Abs", {x})})});
}

Status EmitTrunc(Context& c) {
  if (c.CategoryOf("self") != Category::kFloat) return c.Set(0, c.Need("self"));
  return c.Set(0, Truncated(c, c.Need("self")));
}

Status EmitFrac(Context& c) {
  const std::string x = c.Need("self");
  return c.Set(0, c.Op("Sub", {x, Truncated(c, x)}));
}

Status EmitRsqrt(Context& c) {
  return c.Set(0, c.Op("Reciprocal", {c.Op("Sqrt", {c.FloatIn("self")})}));
}

Status EmitSquare(Context& c) {
  const std::string x = c.Need("self");
  return c.Set(0, c.Op("Mul", {x, x}));
}

Status EmitLog2(Context& c) {
  return c.Set(0, c.Op("Mul", {c.Op("Log", {c.FloatIn("self")}), c.Number(1 / std::numbers::ln2)}));
}
Status EmitLog10(Context& c) {
  return c.Set(0,
               c.Op("Mul", {c.Op("Log", {c.FloatIn("self")}), c.Number(1 / std::numbers::ln10)}));
}
Status EmitLog1p(Context& c) {
  return c.Set(0, c.Op("Log", {c.Op("Add", {c.FloatIn("self"), c.Number(1)})}));
}
Status EmitExpm1(Context& c) {
  return c.Set(0, c.Op("Sub", {c.Op("Exp", {c.FloatIn("self")}), c.Number(1)}));
}
Status EmitExp2(Context& c) {
  return c.Set(0, c.Op("Exp", {c.Op("Mul", {c.FloatIn("self"), c.Number(std::numbers::ln2)})}));
}
Status EmitErfc(Context& c) {
  return c.Set(0, c.Op("Sub", {c.Number(1), c.Op("Erf", {c.FloatIn("self")})}));
}

Status EmitLogit(Context& c) {
  std::string x = c.FloatIn("self");
  if (c.Has("eps")) {
    const double eps = c.Number("eps", 0);
    x = c.Op("Clip", {x, c.Number(eps), c.Number(1 - eps)});
  }
  return c.Set(0, c.Op("Log", {c.Op("Div", {x, c.Op("Sub", {c.Number(1), x})})}));
}

Status EmitClamp(Context& c) {
  const Category category = c.OutCategory();
  std::string y = c.Operand("self", category);
  if (c.Has("min")) y = c.Op("Max", {y, c.Operand("min", category)});
  if (c.Has("max")) y = c.Op("Min", {y, c.Operand("max", category)});
  return c.Set(0, y);
}

Status EmitNot(Context& c) { return c.Set(0, c.Op("Not", {c.Operand("self", Category::kBool)})); }

Status EmitBitwiseNot(Context& c) {
  if (c.CategoryOf("self") == Category::kBool) return EmitNot(c);
  return c.Set(0, c.Op("BitwiseNot", {c.Need("self")}));
}

Status EmitIsNan(Context& c) {
  if (c.CategoryOf("self") != Category::kFloat)
    return c.Set(
        0, c.Op("Less", {c.Operand("self", Category::kInt), c.Operand("self", Category::kInt)}));
  return c.Set(0, c.Op("IsNaN", {c.Need("self")}));
}

// Infinities of one sign.
Status EmitIsPosInf(Context& c) {
  const std::string x = c.FloatIn("self");
  return c.Set(0, c.Op("And", {c.Op("IsInf", {x}), c.Op("Greater", {x, c.Number(0)})}));
}
Status EmitIsNegInf(Context& c) {
  const std::string x = c.FloatIn("self");
  return c.Set(0, c.Op("And", {c.Op("IsInf", {x}), c.Op("Less", {x, c.Number(0)})}));
}
Status EmitDegrees(Context& c) {
  return c.Set(0, c.Op("Mul", {c.FloatIn("self"), c.Number(180 / std::numbers::pi)}));
}
Status EmitRadians(Context& c) {
  return c.Set(0, c.Op("Mul", {c.FloatIn("self"), c.Number(std::numbers::pi / 180)}));
}

Status EmitIsInf(Context& c) { return c.Set(0, c.Op("IsInf", {c.FloatIn("self")})); }

Status EmitIsFinite(Context& c) {
  const std::string x = c.FloatIn("self");
  const std::string bad = c.Op("Or", {c.Op("IsNaN", {x}), c.Op("IsInf", {x})});
  return c.Set(0, c.Op("Not", {bad}));
}

Status EmitNanToNum(Context& c) {
  const std::string x = c.FloatIn("self");
  const double most = c.Number("posinf", std::numeric_limits<float>::max());
  const double least = c.Number("neginf", std::numeric_limits<float>::lowest());
  std::string y = c.Op("Where", {c.Op("IsNaN", {x}), c.Number(c.Number("nan", 0)), x});
  const std::string infinite = c.Op("IsInf", {x});
  const std::string bound =
      c.Op("Where", {c.Op("Greater", {x, c.Number(0)}), c.Number(most), c.Number(least)});
  return c.Set(0, c.Op("Where", {infinite, bound, y}));
}

// ---- types

Status EmitTo(Context& c) {
  const auto name = NameOfInput(c);
  const DType from = c.Meta(name).dtype(), to = c.Out(0).dtype();
  if (to == DType::kInvalid) {
    return Unsupported("it makes a tensor of {}", ScalarTypeName(c.Out(0).type))
        .Advise("compute in real numbers");
  }
  if (from == to) return c.Set(0, c.Need(name));
  // Weights of 8 bits that are scaled later stay so.
  const bool bytes = from == DType::kInt8 || from == DType::kUInt8;
  if (bytes && IsFloat(to) && c.IsHeld(name))
    return c.Set(0, c.Op("DequantizeLinear", {c.Need(name), c.Number(1)}));
  return c.Set(0, c.Cast(c.Need(name), to));
}

Status EmitSame(Context& c) {
  const auto name = NameOfInput(c);
  return c.Set(0, c.Need(name));
}

Status EmitDropout(Context& c) {
  const bool train = c.Flag("train", false) || c.Flag("training", false);
  if (train && c.Number("p", 0.5) != 0)
    return Unsupported("dropout in training mode").Advise("call model.eval() before the export");
  return EmitSame(c);
}

constexpr Converter kConverters[] = {
    {.target = "aten.exp.default", .emit = EmitFloat},
    {.target = "aten.log.default", .emit = EmitFloat},
    {.target = "aten.sqrt.default", .emit = EmitFloat},
    {.target = "aten.sin.default", .emit = EmitFloat},
    {.target = "aten.cos.default", .emit = EmitFloat},
    {.target = "aten.tan.default", .emit = EmitFloat},
    {.target = "aten.asin.default", .emit = EmitFloat},
    {.target = "aten.acos.default", .emit = EmitFloat},
    {.target = "aten.atan.default", .emit = EmitFloat},
    {.target = "aten.arcsin.default", .emit = EmitFloat},
    {.target = "aten.arccos.default", .emit = EmitFloat},
    {.target = "aten.arctan.default", .emit = EmitFloat},
    {.target = "aten.sinh.default", .emit = EmitFloat},
    {.target = "aten.cosh.default", .emit = EmitFloat},
    {.target = "aten.asinh.default", .emit = EmitFloat},
    {.target = "aten.acosh.default", .emit = EmitFloat},
    {.target = "aten.atanh.default", .emit = EmitFloat},
    {.target = "aten.erf.default", .emit = EmitFloat},
    {.target = "aten.special_erf.default", .emit = EmitFloat},
    {.target = "aten.reciprocal.default", .emit = EmitFloat},
    {.target = "aten.floor.default", .emit = EmitFloor},
    {.target = "aten.ceil.default", .emit = EmitCeil},
    {.target = "aten.round.default", .emit = EmitRound},
    {.target = "aten.round.decimals", .emit = EmitRound},
    {.target = "aten.trunc.default", .emit = EmitTrunc},
    {.target = "aten.fix.default", .emit = EmitTrunc},
    {.target = "aten.frac.default", .emit = EmitFrac},
    {.target = "aten.abs.default", .emit = EmitAbs},
    {.target = "aten.absolute.default", .emit = EmitAbs},
    {.target = "aten.neg.default", .emit = EmitNeg},
    {.target = "aten.negative.default", .emit = EmitNeg},
    {.target = "aten.sign.default", .emit = EmitSign},
    {.target = "aten.sgn.default", .emit = EmitSign},
    {.target = "aten.rsqrt.default", .emit = EmitRsqrt},
    {.target = "aten.square.default", .emit = EmitSquare},
    {.target = "aten.log2.default", .emit = EmitLog2},
    {.target = "aten.log10.default", .emit = EmitLog10},
    {.target = "aten.log1p.default", .emit = EmitLog1p},
    {.target = "aten.special_log1p.default", .emit = EmitLog1p},
    {.target = "aten.expm1.default", .emit = EmitExpm1},
    {.target = "aten.special_expm1.default", .emit = EmitExpm1},
    {.target = "aten.exp2.default", .emit = EmitExp2},
    {.target = "aten.special_exp2.default", .emit = EmitExp2},
    {.target = "aten.erfc.default", .emit = EmitErfc},
    {.target = "aten.logit.default", .emit = EmitLogit},
    {.target = "aten.clamp.default", .emit = EmitClamp},
    {.target = "aten.clamp.Tensor", .emit = EmitClamp},
    {.target = "aten.clip.default", .emit = EmitClamp},
    {.target = "aten.clip.Tensor", .emit = EmitClamp},
    {.target = "aten.clamp_min.default", .emit = EmitClamp},
    {.target = "aten.clamp_min.Tensor", .emit = EmitClamp},
    {.target = "aten.clamp_max.default", .emit = EmitClamp},
    {.target = "aten.clamp_max.Tensor", .emit = EmitClamp},
    {.target = "aten.logical_not.default", .emit = EmitNot},
    {.target = "aten.bitwise_not.default", .emit = EmitBitwiseNot},
    {.target = "aten.isnan.default", .emit = EmitIsNan},
    {.target = "aten.isinf.default", .emit = EmitIsInf},
    {.target = "aten.isfinite.default", .emit = EmitIsFinite},
    {.target = "aten.isposinf.default", .emit = EmitIsPosInf},
    {.target = "aten.isneginf.default", .emit = EmitIsNegInf},
    {.target = "aten.rad2deg.default", .emit = EmitDegrees},
    {.target = "aten.deg2rad.default", .emit = EmitRadians},
    {.target = "aten.alias_copy.default", .emit = EmitSame},
    {.target = "aten.nan_to_num.default", .emit = EmitNanToNum},
    {.target = "aten.to.dtype", .emit = EmitTo},
    {.target = "aten.to.dtype_layout", .emit = EmitTo},
    {.target = "aten.to.device", .emit = EmitTo},
    {.target = "aten.to.other", .emit = EmitTo},
    {.target = "aten.type_as.default", .emit = EmitTo},
    {.target = "aten._to_copy.default", .emit = EmitTo},
    {.target = "aten._cast_Float.default", .emit = EmitTo},
    {.target = "prims.convert_element_type.default", .emit = EmitTo},
    {.target = "aten.clone.default", .emit = EmitSame},
    {.target = "aten.detach.default", .emit = EmitSame},
    {.target = "aten.alias.default", .emit = EmitSame},
    {.target = "aten.contiguous.default", .emit = EmitSame},
    {.target = "aten.positive.default", .emit = EmitSame},
    {.target = "aten.lift_fresh_copy.default", .emit = EmitSame},
    {.target = "aten.lift_fresh.default", .emit = EmitSame},
    {.target = "aten.lift.default", .emit = EmitSame},
    {.target = "aten.resolve_conj.default", .emit = EmitSame},
    {.target = "aten.resolve_neg.default", .emit = EmitSame},
    {.target = "aten.conj.default", .emit = EmitSame},
    {.target = "aten._conj.default", .emit = EmitSame},
    {.target = "aten.dropout.default", .emit = EmitDropout},
    {.target = "aten.native_dropout.default", .emit = EmitDropout},
    {.target = "aten.feature_dropout.default", .emit = EmitDropout},
    {.target = "aten.alpha_dropout.default", .emit = EmitDropout},
    {.target = "aten.feature_alpha_dropout.default", .emit = EmitDropout},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::elementwise_unary
