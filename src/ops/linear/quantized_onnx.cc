#include "ops/linear/quantized_onnx.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "onnx/expansion.h"

namespace anemone::ops::linear {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// A scale or zero point of a matrix on the left stands for its rows, of one on the right for its
// columns.
std::string LeftMatrix(NodeContext& c, Expansion& e, size_t x, std::optional<size_t> scale,
                       size_t zero) {
  return e.Dequantized(x, scale, zero, std::max<int64_t>(c.Rank(x) - 2, 0));
}
std::string RightMatrix(NodeContext& c, Expansion& e, size_t x, std::optional<size_t> scale,
                        size_t zero) {
  return e.Dequantized(x, scale, zero, std::max<int64_t>(c.Rank(x) - 1, 0));
}

// x - zero point in int32.
std::string Centered(NodeContext& c, Expansion& e, size_t x, size_t zero, bool rows) {
  auto value = e.Cast(e.In(x), ElementType::kInt32);
  if (!e.Has(zero)) return value;
  auto offset = e.Cast(e.In(zero), ElementType::kInt32);
  if (rows && c.Rank(zero) == 1) offset = e.Op("Unsqueeze", {offset, e.Int64s({1})});
  return e.Op("Sub", {value, offset});
}

// Whether float32 holds the products with the known matrix `b`, summed: integers up to 2^24.
bool SumsAreExact(const NodeContext& c, size_t b, size_t zero) {
  const auto* known = c.Const(b);
  if (known == nullptr || c.Rank(b) != 2 || (c.Has(zero) && !c.Known(zero))) return false;
  const auto values = known->AsInts();
  if (!values) return false;
  const auto zeros = c.Has(zero) ? c.Const(zero)->AsInts().value_or(std::vector<int64_t>())
                                 : std::vector<int64_t>{0};
  const auto columns = static_cast<size_t>(c.Dims(b)[1]);
  if (zeros.size() != 1 && zeros.size() != columns) return false;
  std::vector<int64_t> sums(columns, 0);
  for (size_t i = 0; i < values->size(); ++i) {
    sums[i % columns] += std::abs((*values)[i] - zeros[zeros.size() == 1 ? 0 : i % columns]);
  }
  constexpr int64_t kLargest = 255;  // of 8 bits less a zero point
  return std::ranges::max(sums) * kLargest < int64_t{1} << 24;
}

Status AddRuntimeBias(NodeContext& c, ir::Value* y, size_t bias) {
  return c.Emit("add", {{"x", y}, {"y", c.Value(bias)}});
}

}  // namespace

// a, b, their zero points. Known weights that are small enough are multiplied in float, exactly.
Status EmitMatMulInteger(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  Expansion e(c);
  if (SumsAreExact(c, 1, 3)) {
    const auto y = e.Op("MatMul", {LeftMatrix(c, e, 0, {}, 2), RightMatrix(c, e, 1, {}, 3)});
    return e.Finish({e.Cast(y, ElementType::kInt32)});
  }
  constexpr int64_t kWorthSaying = 1024;
  if (c.Known(1) && c.Const(1)->count() >= kWorthSaying) {
    c.Note(
        fmt::format("the weights '{}' are stored as int32: their products are summed as "
                    "integers, beyond what float32 holds exactly",
                    c.In(1).name));
  }
  return e.Finish({e.Op("MatMul", {Centered(c, e, 0, 2, true), Centered(c, e, 1, 3, false)})});
}

// a, its scale and zero point, b, its scale and zero point, y's scale and zero point.
Status EmitQLinearMatMul(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(8));
  Expansion e(c);
  const auto y = e.Op("MatMul", {LeftMatrix(c, e, 0, 1, 2), RightMatrix(c, e, 3, 4, 5)});
  return e.Finish({e.Op("QuantizeLinear", {y, e.In(6), e.In(7)})});
}

// a, its scale and zero point, b, its scale and zero point, C in int32, y's scale and zero point.
// alpha * scales * (a' * b' + C); without y's scale it stays float.
Status EmitQGemm(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1) || !c.Has(3) || !c.Has(4))
    return InvalidInput("a matrix or a scale is missing");
  Expansion e(c);
  const bool turned = c.Int("transB", 0) != 0;
  const double alpha = c.Float("alpha", 1);
  std::string bias;
  if (e.Has(6)) {
    const auto scales = e.Op("Mul", {e.Op("Mul", {e.In(1), e.Number(alpha)}), e.In(4)});
    bias = e.Op("Mul", {e.Cast(e.In(6), ElementType::kFloat), scales});
  }
  const auto y = e.Op(
      "Gemm",
      {e.Dequantized(0, 1, 2, c.Int("transA", 0) != 0 ? 1 : 0),
       e.Dequantized(3, 4, 5, turned ? 0 : 1), bias},
      {Int("transA", c.Int("transA", 0)), Int("transB", turned ? 1 : 0), Float("alpha", alpha)});
  if (!e.Has(7)) return e.Finish({y});
  return e.Finish({e.Op("QuantizeLinear", {y, e.In(7), e.In(8)})});
}

// a, b, their scales, their zero points, bias.
Status EmitMatMulIntegerToFloat(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(4));
  Expansion e(c);
  auto y = e.Op("MatMul", {LeftMatrix(c, e, 0, 2, 4), RightMatrix(c, e, 1, 3, 5)});
  if (e.Has(6)) y = e.Op("Add", {y, e.In(6)});
  return e.Finish({y});
}

// a in float, b, its scale and zero point, bias.
Status EmitDynamicQuantizeMatMul(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  Expansion e(c);
  const auto a = e.Ops("DynamicQuantizeLinear", {e.In(0)}, 3);
  auto y =
      e.Op("MatMul", {e.Op("DequantizeLinear", {a[0], a[1], a[2]}), RightMatrix(c, e, 1, 2, 3)});
  if (e.Has(4)) y = e.Op("Add", {y, e.In(4)});
  return e.Finish({y});
}

namespace {

// The attributes and inputs of MatMulNBits: a [..., K], b [N, blocks, bytes of a block], scales
// [N, blocks], zero points, the group of each column, bias [N].
struct NBits {
  int64_t k = 0, n = 0, bits = 0, block = 0, blocks = 0;
};

Result<NBits> ReadNBits(const NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  NBits s{.k = c.Int("K", 0),
          .n = c.Int("N", 0),
          .bits = c.Int("bits", 4),
          .block = c.Int("block_size", 0)};
  if (s.bits != 4 && s.bits != 8) {
    return Unsupported("weights of {} bits", s.bits).Advise("quantize to 4 or 8 bits");
  }
  constexpr int64_t kMost = INT32_MAX;
  if (s.k < 1 || s.n < 1 || s.block < 1 || s.k > kMost || s.n > kMost || s.block > kMost)
    return InvalidInput("K, N and block_size are {}, {}, {}", s.k, s.n, s.block);
  s.blocks = (s.k + s.block - 1) / s.block;
  // Beyond this no tensor of the file can fit, and the products below could overflow.
  constexpr int64_t kMostElements = int64_t{1} << 40;
  if (s.blocks * s.block > kMostElements / s.n)
    return InvalidInput("a matrix of {} by {}", s.n, s.blocks * s.block);
  if (!c.Known(1) || !c.Known(2) || (c.Has(3) && !c.Known(3))) {
    return Unsupported("weights computed at run time").Advise("make the weights initializers");
  }
  const auto bytes = static_cast<size_t>(s.n * s.blocks * s.block * s.bits / 8);
  if (c.Const(1)->dtype != DType::kUInt8 || c.Const(1)->data.size() != bytes ||
      c.Const(2)->count() != s.n * s.blocks) {
    return InvalidInput("the weights or scales do not fit K, N and block_size");
  }
  if (c.Rank(0) < 2 || c.Dims(0).back() != s.k)
    return InvalidInput("an input of {} for K of {}", ir::ShapeToString(c.Dims(0)), s.k);
  if (c.Has(4)) {
    const auto* groups = c.Const(4);
    const auto values = groups != nullptr ? groups->AsInts() : std::nullopt;
    bool in_order = values && static_cast<int64_t>(values->size()) == s.k;
    for (int64_t i = 0; in_order && i < s.k; ++i)
      in_order = (*values)[static_cast<size_t>(i)] == i / s.block;
    if (!in_order) {
      return Unsupported("g_idx, which gives the columns to the blocks in another order")
          .Advise("quantize without reordering (GPTQ: actorder off)");
    }
  }
  return s;
}

// One number for each block: floats, or integers packed row by row.
Result<std::vector<float>> ReadZeroPoints(const NodeContext& c, const NBits& s) {
  const auto count = static_cast<size_t>(s.n * s.blocks);
  if (!c.Has(3)) return std::vector<float>(count, std::ldexp(1.0f, static_cast<int>(s.bits) - 1));
  const onnx::Constant& given = *c.Const(3);
  if (::anemone::IsFloat(given.dtype)) {
    auto values = given.AsFloats();
    if (values.size() != count) return InvalidInput("{} zero points", values.size());
    return values;
  }
  const auto row = static_cast<size_t>((s.blocks * s.bits + 7) / 8);
  if (given.dtype != DType::kUInt8 || given.data.size() != row * static_cast<size_t>(s.n))
    return InvalidInput("the zero points do not fit N and the blocks");
  const auto bytes = given.data.As<uint8_t>();
  std::vector<float> values(count);
  const auto blocks = static_cast<size_t>(s.blocks);
  for (size_t i = 0; i < count; ++i) {
    const size_t at = i % blocks;
    const uint8_t byte = bytes[i / blocks * row + (s.bits == 4 ? at / 2 : at)];
    values[i] = s.bits == 8 ? byte : static_cast<float>(byte >> (at % 2 * 4) & 0xF);
  }
  return values;
}

}  // namespace

Status EmitMatMulNBits(NodeContext& c) {
  ANEMONE_ASSIGN(const NBits s, ReadNBits(c));
  ANEMONE_ASSIGN(auto zero, ReadZeroPoints(c, s));
  // The rows of b are packed as those of a tensor of 4 bits are, whole blocks at a time.
  const int64_t width = s.blocks * s.block;
  const Quantized weight{
      .data = {s.bits == 4 ? DType::kUInt4 : DType::kUInt8, {s.n, width}, c.Const(1)->data},
      .blocks = {s.n, s.blocks},
      .scale = c.Const(2)->AsFloats(),
      .zero = std::move(zero),
      .whole_zero = !c.Has(3) || !::anemone::IsFloat(c.Const(3)->dtype)};
  ir::Value* x = c.Value(0);
  if (width != s.k) {
    std::vector<int64_t> pads(2 * c.Dims(0).size(), 0);
    pads.back() = width - s.k;
    x = c.Op("pad", {{"x", x},
                     {"pad", ir::Ints(pads)},
                     {"mode", ir::Literal::String("constant")},
                     {"constant_val", ir::Literal::Fp32(0)}});
  }
  Args args = {{"x", x}, {"weight", c.MakeConst(weight, "weight")}};
  if (!c.Has(5)) return c.Emit("linear", std::move(args));
  if (!c.Known(5)) return AddRuntimeBias(c, c.Op("linear", std::move(args)), 5);
  args.push_back({"bias", c.Value(5)});
  return c.Emit("linear", std::move(args));
}

}  // namespace anemone::ops::linear
