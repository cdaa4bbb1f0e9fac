// ONNX: arithmetic, comparisons and logic of two (or more) tensors.
#include "onnx/converter.h"
#include "ops/elementwise_binary/bits_onnx.h"

namespace anemone::ops::elementwise_binary {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

Status CheckTwo(const NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("{} needs two inputs", c.node().op);
  return {};
}

Status EmitPair(NodeContext& c, std::string_view type) {
  ANEMONE_TRY(CheckTwo(c));
  return c.Emit(type, {{"x", c.Value(0)}, {"y", c.Value(1)}});
}

// The program's integers have 32 bits; those of narrow types wrap around.
bool IsNarrow(const NodeContext& c, size_t i) {
  return c.Dtype(i) == DType::kInt32 && IsInt(c.Type(i)) && BitWidth(c.Type(i)) < 32;
}

Status EmitArithmetic(NodeContext& c, std::string_view type) {
  ANEMONE_TRY(CheckTwo(c));
  if (!IsNarrow(c, 0)) return EmitPair(c, type);
  return c.Set(0, c.Wrap(c.Binary(type, {c.Value(0), c.Value(1)}), c.Type(0)));
}
Status EmitAdd(NodeContext& c) { return EmitArithmetic(c, "add"); }
Status EmitSub(NodeContext& c) { return EmitArithmetic(c, "sub"); }
Status EmitMul(NodeContext& c) { return EmitArithmetic(c, "mul"); }
Status EmitAnd(NodeContext& c) { return EmitPair(c, "logical_and"); }
Status EmitOr(NodeContext& c) { return EmitPair(c, "logical_or"); }
Status EmitXor(NodeContext& c) { return EmitPair(c, "logical_xor"); }

// MIL cannot compare bools, so they are compared as 0 and 1.
Status EmitCompare(NodeContext& c, std::string_view type) {
  ANEMONE_TRY(CheckTwo(c));
  ir::Value* x = c.Value(0);
  ir::Value* y = c.Value(1);
  if (c.Dtype(0) == DType::kBool) x = c.Cast(x, DType::kInt32);
  if (c.Dtype(1) == DType::kBool) y = c.Cast(y, DType::kInt32);
  return c.Emit(type, {{"x", x}, {"y", y}});
}
Status EmitEqual(NodeContext& c) { return EmitCompare(c, "equal"); }
Status EmitGreater(NodeContext& c) { return EmitCompare(c, "greater"); }
Status EmitGreaterOrEqual(NodeContext& c) { return EmitCompare(c, "greater_equal"); }
Status EmitLess(NodeContext& c) { return EmitCompare(c, "less"); }
Status EmitLessOrEqual(NodeContext& c) { return EmitCompare(c, "less_equal"); }

// ONNX divides integers toward zero, floor_div downwards: they differ by one where a remainder is
// left and the signs differ.
Status EmitDiv(NodeContext& c) {
  ANEMONE_TRY(CheckTwo(c));
  if (c.IsFloat(0)) return EmitPair(c, "real_div");
  ir::Value* x = c.Value(0);
  ir::Value* y = c.Value(1);
  ir::Value* floor = c.Binary("floor_div", {x, y});
  ir::Value* rest = c.Binary("sub", {x, c.Binary("mul", {floor, y})});
  ir::Value* zero = c.MakeConst(ir::Literal::Int32(0), "zero");
  ir::Value* uneven = c.Binary("not_equal", {rest, zero});
  ir::Value* opposite =
      c.Binary("logical_xor", {c.Binary("less", {x, zero}), c.Binary("less", {y, zero})});
  ir::Value* correct = c.Binary("logical_and", {uneven, opposite});
  if (!IsNarrow(c, 0)) return c.Emit("add", {{"x", floor}, {"y", c.Cast(correct, DType::kInt32)}});
  // The lowest number divided by -1 has no place in its type.
  return c.Set(0, c.Wrap(c.Binary("add", {floor, c.Cast(correct, DType::kInt32)}), c.Type(0)));
}

// MIL's mod takes the sign of the divisor, as ONNX's does unless fmod asks for the dividend's.
Status EmitMod(NodeContext& c) {
  ANEMONE_TRY(CheckTwo(c));
  if (c.Int("fmod", 0) == 0) return EmitPair(c, "mod");
  ir::Value* x = c.Value(0);
  ir::Value* rest = c.Binary("mod", {c.Op("abs", {{"x", x}}), c.Op("abs", {{"x", c.Value(1)}})});
  return c.Emit("mul", {{"x", c.Op("sign", {{"x", x}})}, {"y", rest}});
}

Status EmitPow(NodeContext& c) {
  ANEMONE_TRY(CheckTwo(c));
  ir::Value* x = c.Value(0);
  ir::Value* y = c.Value(1);
  // The result has the type of the base.
  if (c.IsFloat(0) || !c.IsFloat(1)) {
    if (!IsNarrow(c, 0)) return c.Emit("pow", {{"x", x}, {"y", c.Cast(y, c.Dtype(0))}});
    return c.Set(0, c.Wrap(c.Binary("pow", {x, c.Cast(y, c.Dtype(0))}), c.Type(0)));
  }
  ir::Value* power = c.Binary("pow", {c.Cast(x, DType::kFp32), y});
  return c.Set(0, c.Cast(power, c.Dtype(0)));
}

// Any number of inputs, two at a time.
Status EmitChain(NodeContext& c, std::string_view type) {
  if (!c.Has(0)) return InvalidInput("{} has no inputs", c.node().op);
  if (c.InputCount() == 1) return c.Forward(0, 0);
  ir::Value* sum = c.Value(0);
  for (size_t i = 1; i + 1 < c.InputCount(); ++i) sum = c.Binary(type, {sum, c.Value(i)});
  return c.Emit(type, {{"x", sum}, {"y", c.Value(c.InputCount() - 1)}});
}
Status EmitMax(NodeContext& c) { return EmitChain(c, "maximum"); }
Status EmitMin(NodeContext& c) { return EmitChain(c, "minimum"); }
Status EmitSum(NodeContext& c) { return EmitChain(c, "add"); }

Status EmitMean(NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("Mean has no inputs");
  if (c.InputCount() == 1) return c.Forward(0, 0);
  ir::Value* sum = c.Value(0);
  for (size_t i = 1; i < c.InputCount(); ++i) sum = c.Binary("add", {sum, c.Value(i)});
  return c.Emit("real_div", {{"x", sum}, {"y", c.Float32(static_cast<float>(c.InputCount()))}});
}

constexpr Converter kConverters[] = {
    {.op = "Add", .emit = EmitAdd},
    {.op = "Sub", .emit = EmitSub},
    {.op = "Mul", .emit = EmitMul},
    {.op = "Div", .emit = EmitDiv},
    {.op = "Mod", .emit = EmitMod},
    {.op = "Pow", .emit = EmitPow},
    {.op = "Max", .emit = EmitMax},
    {.op = "Min", .emit = EmitMin},
    {.op = "Sum", .emit = EmitSum},
    {.op = "Mean", .emit = EmitMean},
    {.op = "Equal", .emit = EmitEqual},
    {.op = "Greater", .emit = EmitGreater},
    {.op = "GreaterOrEqual", .emit = EmitGreaterOrEqual},
    {.op = "Less", .emit = EmitLess},
    {.op = "LessOrEqual", .emit = EmitLessOrEqual},
    {.op = "And", .emit = EmitAnd},
    {.op = "Or", .emit = EmitOr},
    {.op = "Xor", .emit = EmitXor},
    {.op = "BitShift", .emit = EmitBitShift},
    {.op = "BitwiseAnd", .emit = EmitBitwiseAnd},
    {.op = "BitwiseOr", .emit = EmitBitwiseOr},
    {.op = "BitwiseXor", .emit = EmitBitwiseXor},
    {.op = "BitwiseNot", .emit = EmitBitwiseNot},
    {.op = "BitCast",
     .refusal = "Core ML cannot take the bits of a tensor for another type",
     .rewrite = "compute the values with arithmetic"},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::elementwise_binary
