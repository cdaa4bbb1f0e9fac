// ONNX: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, and ONNX Runtime's operators on
// quantized tensors (quantized_onnx.cc).
//
// A known tensor of 4 or 8 bits that DequantizeLinear scales is a constexpr operator of the program
// (onnx/quantized.h). From ios17 on, a tensor that is quantized with known numbers to int8 or uint8
// is quantized by the operator `quantize`, and comes back by `dequantize`. Else, and for whatever
// reads the integers themselves, they are whole numbers in float, so that everything that only moves
// or compares elements works on them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "onnx/converter.h"
#include "onnx/expansion.h"
#include "ops/constexpr_ops/quantized_onnx.h"
#include "ops/infer.h"

namespace anemone::ops::constexpr_ops {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

ir::Literal Axis(int64_t value) { return ir::Literal::Int32(static_cast<int32_t>(value)); }

// The axis of a scale; 0 where it has none.
Result<int64_t> ScaleAxis(const NodeContext& c) {
  if (c.Rank(1) == 0 || c.Rank(0) == 0 || ir::ElementCount(c.Dims(1)) == 1) return int64_t{0};
  return NormalizeAxis(c.Int("axis", 1), c.Rank(0));
}

// In blocked quantization a block of elements along `axis` shares a scale: the number of the block of
// each element.
Result<std::vector<int64_t>> BlockOfEach(const NodeContext& c, size_t input, int64_t axis) {
  const auto d = static_cast<size_t>(axis);
  const int64_t block = c.Int("block_size", 0);
  ir::Shape expected = c.Dims(0);
  if (block > 0) expected[d] = (expected[d] + block - 1) / block;
  if (block <= 0 || c.Dims(input) != expected) {
    return InvalidInput("scales of {} do not fit blocks of {} of {}",
                        ir::ShapeToString(c.Dims(input)), block, ir::ShapeToString(c.Dims(0)));
  }
  std::vector<int64_t> blocks;
  for (int64_t i = 0; i < c.Dims(0)[d]; ++i) blocks.push_back(i / block);
  return blocks;
}

// A scale or zero point along `axis`.
Result<ir::Value*> Parameter(NodeContext& c, size_t input) {
  ir::Value* value =
      c.Known(input)
          ? c.MakeConst(onnx::Constant::Floats(c.Const(input)->AsFloats(), c.Dims(input)), "scale")
          : c.Cast(c.Value(input), DType::kFp32);
  if (c.Rank(input) == 0 || ir::ElementCount(c.Dims(input)) == 1) return c.Reshape(value, {});
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 1), c.Rank(0)));
  if (c.Rank(input) != 1) {
    ANEMONE_ASSIGN(const auto blocks, BlockOfEach(c, input, axis));
    return c.Op("gather", {{"x", value}, {"indices", ir::Ints(blocks)}, {"axis", Axis(axis)}});
  }
  ir::Shape dims(static_cast<size_t>(c.Rank(0)), 1);
  dims[static_cast<size_t>(axis)] = c.Dims(input)[0];
  return c.Reshape(value, dims);
}

// A known tensor and its known scale and zero point, as folding reads them.
struct KnownScales {
  std::vector<float> scale, zero;  // zero: empty for 0
  int64_t inner = 1, size = 1;     // elements behind the axis; along it
  int64_t blocks = 1;              // along the axis, in blocked quantization
  int64_t block = 0;               // 0: one scale for each element along the axis, or one at all

  // Which scale serves element `i`.
  size_t At(int64_t i) const {
    if (scale.size() == 1) return 0;
    const int64_t row = i / inner;
    if (block == 0) return static_cast<size_t>(row % size);
    return static_cast<size_t>((row / size * blocks + row % size / block) * inner + i % inner);
  }
  float ZeroAt(size_t at) const { return zero.empty() ? 0.0f : zero[at]; }
};

bool AllKnown(const NodeContext& c) {
  return c.Known(0) && c.Known(1) && (!c.Has(2) || c.Known(2));
}

Result<KnownScales> ReadScales(const NodeContext& c) {
  KnownScales known{.scale = c.Const(1)->AsFloats(), .zero = {}};
  if (c.Has(2)) known.zero = c.Const(2)->AsFloats();
  if (known.scale.empty()) return InvalidInput("the scale has no elements");
  if (c.Has(2) && known.zero.size() != known.scale.size())
    return InvalidInput("scale and zero point differ in size");
  if (known.scale.size() == 1) return known;
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 1), c.Rank(0)));
  const auto d = static_cast<size_t>(axis);
  known.size = c.Dims(0)[d];
  for (size_t i = d + 1; i < c.Dims(0).size(); ++i) known.inner *= c.Dims(0)[i];
  if (c.Rank(1) != 1) {
    ANEMONE_TRY(BlockOfEach(c, 1, axis).status());
    known.block = c.Int("block_size", 0);
    known.blocks = c.Dims(1)[d];
  } else if (known.size != c.Dims(1)[0]) {
    return InvalidInput("the scales do not fit the axis");
  }
  return known;
}

Result<DType> QuantizedType(const NodeContext& c) {
  DType type = DType::kUInt8;
  if (c.Has(2)) {
    type = c.Type(2);
  } else if (c.Int("output_dtype", 0) != 0) {
    type = ToDType(static_cast<int32_t>(c.Int("output_dtype", 0)));
  }
  if (!IsInt(type) || BitWidth(type) > 16)
    return Unsupported("quantization to {}", DTypeName(type));
  return type;
}

struct IntegerRange {
  float low, high;
};
IntegerRange RangeOf(DType type) {
  const int bits = BitWidth(type);
  if (!IsSignedInt(type)) return {0.0f, std::ldexp(1.0f, bits) - 1};
  return {-std::ldexp(1.0f, bits - 1), std::ldexp(1.0f, bits - 1) - 1};
}

Status FoldQuantize(NodeContext& c, DType type) {
  ANEMONE_ASSIGN(const KnownScales scales, ReadScales(c));
  const auto x = c.Const(0)->AsFloats();
  const auto [low, high] = RangeOf(type);
  std::vector<int64_t> out(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t at = scales.At(static_cast<int64_t>(i));
    const float whole = std::nearbyint(x[i] / scales.scale[at]) + scales.ZeroAt(at);
    if (std::isnan(whole)) return InvalidInput("the constant '{}' holds NaN", c.In(0).name);
    out[i] = static_cast<int64_t>(std::clamp(whole, low, high));
  }
  return c.SetConstant(0, IntegerConstant(type, out, c.Dims(0)));
}

// The arguments that `quantize` and `dequantize` share; nullopt when they take no such scale.
std::optional<Args> NativeArgs(NodeContext& c, ir::Value* input, DType type) {
  if (c.target() < ir::Opset::kIOS17 || (type != DType::kInt8 && type != DType::kUInt8)) return {};
  if (!c.Known(1) || (c.Has(2) && (!c.Known(2) || c.Type(2) != type))) return {};
  const auto scale = c.Const(1)->AsFloats();
  const auto positive = [](float value) { return value > 0 && std::isfinite(value); };
  if (!std::ranges::all_of(scale, positive)) return {};
  const bool one = scale.size() == 1;
  const auto axis = ScaleAxis(c);
  if (!axis.ok() || (!one && (c.Rank(1) != 1 || c.Dims(1)[0] != c.Dims(0)[*axis]))) return {};
  const ir::Shape shape = one ? ir::Shape{} : c.Dims(1);
  Args args = {{"input", input}, {"scale", ir::Literal::Fp32s(scale, shape)}};
  if (!one) args.push_back({"axis", Axis(*axis)});
  if (!c.Has(2)) return args;
  const auto zero = c.Const(2)->AsInts();
  if (!zero || zero->size() != scale.size()) return {};
  if (std::ranges::any_of(*zero, [](int64_t value) { return value != 0; })) {
    auto literal = ir::Literal::FromBytes(ir::Type::Tensor(type, shape), ir::PackInts(*zero, type));
    if (!literal.ok()) return {};
    args.push_back({"zero_point", std::move(*literal)});
  }
  return args;
}

Status EmitQuantize(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  ANEMONE_ASSIGN(const DType type, QuantizedType(c));
  c.SetType(0, type);
  if (AllKnown(c)) return FoldQuantize(c, type);
  ir::Value* x = c.Cast(c.Value(0), DType::kFp32);
  if (auto args = NativeArgs(c, x, type)) {
    args->push_back({"output_dtype", ir::Literal::String(std::string(DTypeName(type)))});
    return c.SetIntegers(0, c.Op("quantize", std::move(*args)), type);
  }
  ANEMONE_ASSIGN(ir::Value * scale, Parameter(c, 1));
  ir::Value* y = c.Op("round", {{"x", c.Binary("real_div", {x, scale})}});
  if (c.Has(2)) {
    ANEMONE_ASSIGN(ir::Value * zero, Parameter(c, 2));
    y = c.Binary("add", {y, zero});
  }
  const auto [low, high] = RangeOf(type);
  return c.Emit("clip",
                {{"x", y}, {"alpha", ir::Literal::Fp32(low)}, {"beta", ir::Literal::Fp32(high)}});
}

// Known integers: kept as they are, where a constexpr operator holds them, else as floats.
Status FoldDequantize(NodeContext& c) {
  const onnx::Constant& x = *c.Const(0);
  ANEMONE_ASSIGN(const int64_t axis, ScaleAxis(c));
  ANEMONE_ASSIGN(auto kept,
                 MakeQuantized(x, *c.Const(1), c.Const(2), axis, c.Int("block_size", 0)));
  if (kept) return c.SetQuantized(0, std::move(*kept));
  ANEMONE_ASSIGN(const KnownScales scales, ReadScales(c));
  const auto values = x.AsDoubles();
  if (!values) return Unsupported("integers of {}", DTypeName(x.dtype));
  std::vector<float> out(values->size());
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t at = scales.At(static_cast<int64_t>(i));
    out[i] = static_cast<float>((*values)[i] - scales.ZeroAt(at)) * scales.scale[at];
  }
  // A bias is int32 and one-dimensional: it is no larger in float.
  constexpr int64_t kWorthSaying = 1024;
  if (BitWidth(x.dtype) < 32 && x.count() >= kWorthSaying) {
    c.Note(
        fmt::format("the weights '{}' of {} are stored as float32: Core ML has no constant that "
                    "is quantized so",
                    c.In(0).name, DTypeName(x.dtype)));
  }
  return c.SetConstant(0, onnx::Constant::Floats(std::move(out), c.Dims(0)));
}

Status EmitDequantize(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  if (AllKnown(c)) return FoldDequantize(c);
  c.SetType(0, c.Type(1));
  if (c.In(0).integers != nullptr) {
    if (auto args = NativeArgs(c, c.In(0).integers, c.Type(0)))
      return c.Emit("dequantize", std::move(*args));
  }
  ir::Value* x = c.Cast(c.Value(0), DType::kFp32);
  if (c.Has(2)) {
    ANEMONE_ASSIGN(ir::Value * zero, Parameter(c, 2));
    x = c.Binary("sub", {x, zero});
  }
  ANEMONE_ASSIGN(ir::Value * scale, Parameter(c, 1));
  return c.Emit("mul", {{"x", x}, {"y", scale}});
}

// The range of the data, 0 included, on the 256 steps of uint8; ONNX's own definition. Data of zeros
// has the scale 1, as in ONNX Runtime.
Status EmitDynamicQuantize(NodeContext& c) {
  using attribute::Int;
  ANEMONE_TRY(c.NeedInputs(1));
  Expansion e(c);
  const auto all = [&](std::string op) {
    return e.Op(std::move(op), {e.In(0)}, {Int("keepdims", 0)});
  };
  const auto low = e.Op("Min", {all("ReduceMin"), e.Number(0)});
  const auto high = e.Op("Max", {all("ReduceMax"), e.Number(0)});
  auto scale = e.Op("Div", {e.Op("Sub", {high, low}), e.Number(255)});
  scale = e.Op("Where", {e.Op("Equal", {scale, e.Number(0)}), e.Number(1), scale});
  auto zero = e.Op("Div", {e.Op("Sub", {e.Number(0), low}), scale});
  zero = e.Op("Round", {e.Op("Clip", {zero, e.Number(0), e.Number(255)})});
  auto y = e.Op("Add", {e.Op("Round", {e.Op("Div", {e.In(0), scale})}), zero});
  y = e.Op("Clip", {y, e.Number(0), e.Number(255)});
  ANEMONE_ASSIGN(auto operands, e.Convert({y, scale, zero}));
  operands[0].type = operands[2].type = DType::kUInt8;
  for (size_t i = 0; i < operands.size(); ++i) ANEMONE_TRY(c.SetOperand(i, operands[i]));
  return {};
}

constexpr std::string_view kRuntime = "com.microsoft";

constexpr Converter kConverters[] = {
    {.op = "QuantizeLinear", .emit = EmitQuantize},
    {.op = "QuantizeLinear", .emit = EmitQuantize, .domain = kRuntime},
    {.op = "DequantizeLinear", .emit = EmitDequantize},
    {.op = "DequantizeLinear", .emit = EmitDequantize, .domain = kRuntime},
    {.op = "DynamicQuantizeLinear", .emit = EmitDynamicQuantize},
    {.op = "QLinearAdd", .emit = EmitQLinearPair, .domain = kRuntime},
    {.op = "QLinearMul", .emit = EmitQLinearPair, .domain = kRuntime},
    {.op = "QLinearSigmoid", .emit = EmitQLinearUnary, .domain = kRuntime},
    {.op = "QLinearLeakyRelu", .emit = EmitQLinearUnary, .domain = kRuntime},
    {.op = "QLinearSoftmax", .emit = EmitQLinearUnary, .domain = kRuntime},
    {.op = "QLinearAveragePool", .emit = EmitQLinearPool, .domain = kRuntime},
    {.op = "QLinearGlobalAveragePool", .emit = EmitQLinearPool, .domain = kRuntime},
    {.op = "QLinearReduceMean", .emit = EmitQLinearUnary, .domain = kRuntime},
    {.op = "QLinearConcat", .emit = EmitQLinearConcat, .domain = kRuntime},
    {.op = "QLinearWhere", .emit = EmitQLinearWhere, .domain = kRuntime},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::constexpr_ops
