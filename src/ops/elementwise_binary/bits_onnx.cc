#include "ops/elementwise_binary/bits_onnx.h"

#include <limits>

#include "ops/infer.h"

namespace anemone::ops::elementwise_binary {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

Status CheckIntegers(const NodeContext& c, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (!c.Has(i)) return InvalidInput("input {} is missing", i);
    if (!IsInt(c.Type(i))) return InvalidInput("input {} is not an integer tensor", i);
    const DType type = c.Type(i);
    if (type == DType::kUInt32 || type == DType::kUInt64) {
      return Unsupported("{} has numbers that the 32-bit signed integers of Core ML have not",
                         DTypeName(type))
          .Advise("use int32, or a narrower type");
    }
  }
  return {};
}

ir::Value* Number(NodeContext& c, int64_t value) {
  return c.MakeConst(ir::Literal::Int32(static_cast<int32_t>(value)), "number");
}

// The lowest `bits` of each element of [n] as [n, bits]; of a negative number those of its two's
// complement, since floor_div and mod round down.
ir::Value* Bits(NodeContext& c, ir::Value* x, ir::Value* powers) {
  x = c.Op("expand_dims", {{"x", x}, {"axes", ir::Ints({1})}});
  return c.Binary("mod", {c.Binary("floor_div", {x, powers}), Number(c, 2)});
}

// `combine` makes the bit of the result of two bits, each 0 or 1. The sign counts as one more bit.
Status EmitByBits(NodeContext& c, ir::Value* (*combine)(NodeContext&, ir::Value*, ir::Value*)) {
  ANEMONE_TRY(CheckIntegers(c, 2));
  ANEMONE_ASSIGN(const ir::Shape dims, BroadcastShapes("", c.Dims(0), c.Dims(1)));
  const DType type = c.Type(0);
  const int width = std::min<int>(BitWidth(type), 32);
  const int bits = IsSignedInt(type) ? width - 1 : width;
  std::vector<int64_t> values;
  for (int bit = 0; bit < bits; ++bit) values.push_back(int64_t{1} << bit);
  ir::Value* powers = c.MakeConst(onnx::Constant::Int64s(std::move(values), {1, bits}), "powers");
  const auto flat = [&](size_t input) {
    ir::Value* x = c.Cast(c.Value(input), DType::kInt32);
    // Adding 0 broadcasts.
    if (c.Dims(input) != dims) {
      x = c.Binary(
          "add",
          {x, c.MakeConst(BroadcastConstant(onnx::Constant::FromInts(DType::kInt32, {0}, {}), dims),
                          "zeros")});
    }
    return c.Reshape(x, {ir::ElementCount(dims).value_or(1)});
  };
  ir::Value* x = flat(0);
  ir::Value* y = flat(1);
  ir::Value* both = combine(c, Bits(c, x, powers), Bits(c, y, powers));
  ir::Value* sum = c.Op("reduce_sum", {{"x", c.Binary("mul", {both, powers})},
                                       {"axes", ir::Ints({1})},
                                       {"keep_dims", ir::Literal::Bool(false)}});
  if (IsSignedInt(type)) {
    const auto sign = [&](ir::Value* value) {
      return c.Cast(c.Binary("less", {value, Number(c, 0)}), DType::kInt32);
    };
    const int64_t lowest = -(int64_t{1} << bits);
    sum =
        c.Binary("add", {sum, c.Binary("mul", {combine(c, sign(x), sign(y)), Number(c, lowest)})});
  }
  return c.SetView(0, sum, dims);
}

ir::Value* And(NodeContext& c, ir::Value* x, ir::Value* y) { return c.Binary("mul", {x, y}); }
ir::Value* Or(NodeContext& c, ir::Value* x, ir::Value* y) { return c.Binary("maximum", {x, y}); }
ir::Value* Xor(NodeContext& c, ir::Value* x, ir::Value* y) {
  return c.Op("abs", {{"x", c.Binary("sub", {x, y})}});
}

}  // namespace

Status EmitBitwiseAnd(NodeContext& c) { return EmitByBits(c, And); }
Status EmitBitwiseOr(NodeContext& c) { return EmitByBits(c, Or); }
Status EmitBitwiseXor(NodeContext& c) { return EmitByBits(c, Xor); }

Status EmitBitwiseNot(NodeContext& c) {
  ANEMONE_TRY(CheckIntegers(c, 1));
  const DType type = c.Type(0);
  const int64_t ones = IsSignedInt(type) ? -1 : (int64_t{1} << BitWidth(type)) - 1;
  return c.Emit("sub", {{"x", Number(c, ones)}, {"y", c.Cast(c.Value(0), DType::kInt32)}});
}

// A shift by n multiplies or divides by the n-th power of 2; by the width or more it
// leaves nothing.
Status EmitBitShift(NodeContext& c) {
  ANEMONE_TRY(CheckIntegers(c, 2));
  const std::string direction = c.String("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    return InvalidInput("direction is '{}', but must be LEFT or RIGHT", direction);
  }
  const bool left = direction == "LEFT";
  const DType type = c.Type(0);
  if (left && BitWidth(type) > 32)
    c.Note("shifts int64 to the left, in the 32 bits of Core ML's integers");
  const int width = std::min<int>(BitWidth(type), 32);
  // No power of 2 beyond 30 is an int32: the rest is shifted in a second step.
  ir::Value* x = c.Cast(c.Value(0), DType::kInt32);
  ir::Value* n = c.Cast(c.Value(1), DType::kInt32);
  ir::Value* half = c.Binary("floor_div", {n, Number(c, 2)});
  const auto power = [&](ir::Value* exponent) {
    std::vector<int64_t> powers;
    for (int bit = 0; bit <= 16; ++bit) powers.push_back(int64_t{1} << bit);
    ir::Value* table = c.MakeConst(onnx::Constant::Int64s(std::move(powers)), "powers");
    ir::Value* at =
        c.Binary("maximum", {c.Binary("minimum", {exponent, Number(c, 16)}), Number(c, 0)});
    return c.Op("gather", {{"x", table}, {"indices", at}, {"axis", ir::Literal::Int32(0)}});
  };
  const std::string_view op = left ? "mul" : "floor_div";
  ir::Value* y = c.Binary(op, {x, power(half)});
  y = c.Binary(op, {y, power(c.Binary("sub", {n, half}))});
  if (left) y = c.Wrap(y, type);
  // A negative amount counts as a huge one, as NumPy has it.
  ir::Value* beyond = c.Binary("logical_or", {c.Binary("greater_equal", {n, Number(c, width)}),
                                              c.Binary("less", {n, Number(c, 0)})});
  ir::Value* nothing = Number(c, 0);
  // A negative number shifted right keeps its sign.
  if (!left && IsSignedInt(type)) {
    nothing =
        c.Binary("sub", {nothing, c.Cast(c.Binary("less", {x, Number(c, 0)}), DType::kInt32)});
  }
  return c.Emit("select", {{"cond", beyond}, {"a", nothing}, {"b", y}});
}

}  // namespace anemone::ops::elementwise_binary
