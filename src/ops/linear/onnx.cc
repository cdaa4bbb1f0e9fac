// ONNX: Gemm, MatMul.
#include <optional>
#include <vector>

#include "onnx/converter.h"
#include "onnx/expansion.h"
#include "onnx/integer_products.h"
#include "ops/linear/attention_onnx.h"
#include "ops/linear/einsum_onnx.h"
#include "ops/linear/layers_onnx.h"
#include "ops/linear/quantized_onnx.h"
#include "ops/linear/runtime_attention_onnx.h"

namespace anemone::ops::linear {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

Status CheckTwo(const NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("{} needs two inputs", c.node().op);
  return {};
}

ir::Literal Flag(bool value) { return ir::Literal::Bool(value); }

void Scale(std::vector<float>& values, double factor) {
  if (factor == 1) return;
  for (float& value : values) value = static_cast<float>(value * factor);
}

// beta * C as the bias of `linear`: known, and one number for each column.
std::optional<std::vector<float>> LinearBias(const NodeContext& c, int64_t columns, double beta) {
  if (!c.Has(2) || beta == 0) return std::vector<float>(static_cast<size_t>(columns), 0.0f);
  const auto* bias = c.Const(2);
  if (bias == nullptr) return std::nullopt;
  for (size_t d = 0; d + 1 < bias->dims.size(); ++d) {
    if (bias->dims[d] != 1) return std::nullopt;
  }
  const int64_t last = bias->dims.empty() ? 1 : bias->dims.back();
  if (last != 1 && last != columns) return std::nullopt;
  auto values = BroadcastConstant(bias->Reshaped({last}), {columns}).AsFloats();
  Scale(values, beta);
  return values;
}

// alpha * A' * B' + beta * C. With known B and C this is `linear`, whose weight is [out, in].
Status EmitGemm(NodeContext& c) {
  ANEMONE_TRY(CheckTwo(c));
  if (c.Rank(0) != 2 || c.Rank(1) != 2) return InvalidInput("Gemm needs matrices");
  const double alpha = c.Float("alpha", 1), beta = c.Float("beta", 1);
  const bool trans_a = c.Int("transA", 0) != 0, trans_b = c.Int("transB", 0) != 0;
  const int64_t columns = c.Dims(1)[trans_b ? 0 : 1];
  const auto bias = LinearBias(c, columns, beta);
  if (!trans_a && c.Known(1) && c.IsFloat(0) && bias) {
    ir::Value* x = c.Value(0);
    ir::Value* weight;
    if (const auto* quantized = c.QuantizedIn(1); quantized != nullptr) {
      const Quantized rows = trans_b ? *quantized : quantized->Transposed({1, 0});
      weight = c.MakeConst(rows.Times(alpha), "weight");
    } else if (trans_b && alpha == 1) {
      weight = c.Value(1);
    } else {
      onnx::Constant matrix = trans_b ? *c.Const(1) : TransposeConstant(*c.Const(1), {1, 0});
      auto values = matrix.AsFloats();
      Scale(values, alpha);
      weight = c.MakeConst(Constant::Floats(std::move(values), matrix.dims), "weight");
    }
    return c.Emit("linear",
                  {{"x", x}, {"weight", weight}, {"bias", ir::Literal::Fp32s(*bias, {columns})}});
  }
  ir::Value* y = c.Op("matmul", {{"x", c.Value(0)},
                                 {"y", c.Value(1)},
                                 {"transpose_x", Flag(trans_a)},
                                 {"transpose_y", Flag(trans_b)}});
  if (alpha != 1) y = c.Binary("mul", {y, c.Float32(static_cast<float>(alpha))});
  if (!c.Has(2) || beta == 0) return c.Set(0, y);
  ir::Value* bias_value = c.Value(2);
  if (beta != 1) bias_value = c.Binary("mul", {bias_value, c.Float32(static_cast<float>(beta))});
  return c.Emit("add", {{"x", y}, {"y", bias_value}});
}

Status EmitMatMul(NodeContext& c) {
  ANEMONE_TRY(CheckTwo(c));
  if (c.Rank(0) == 0 || c.Rank(1) == 0) return InvalidInput("MatMul of scalars");
  // The integers of a quantized matrix are turned now: a pass that finds the constexpr operator could
  // not.
  if (const auto* quantized = c.QuantizedIn(1);
      quantized != nullptr && c.Rank(0) > 1 && c.Rank(1) == 2 && c.IsFloat(0)) {
    return c.Emit("linear", {{"x", c.Value(0)},
                             {"weight", c.MakeConst(quantized->Transposed({1, 0}), "weight")}});
  }
  ir::Value* x = c.Value(0);
  ir::Value* y = c.Value(1);
  // A vector is a row on the left and a column on the right.
  if (c.Rank(0) == 1) x = c.Reshape(x, {1, c.Sizes(0)[0]});
  if (c.Rank(1) == 1) y = c.Reshape(y, {c.Sizes(1)[0], 1});
  Args args = {{"x", x}, {"y", y}, {"transpose_x", Flag(false)}, {"transpose_y", Flag(false)}};
  if (c.Rank(0) > 1 && c.Rank(1) > 1) return c.Emit("matmul", std::move(args));
  ir::Value* product = c.Op("matmul", std::move(args));
  ANEMONE_TRY(c.status());
  ir::Shape dims = c.DimsOf(product);
  if (c.Rank(1) == 1) dims.pop_back();
  if (c.Rank(0) == 1) dims.erase(dims.end() - (c.Rank(1) == 1 ? 1 : 2));
  return c.SetView(0, product, std::move(dims));
}

constexpr std::string_view kRuntime = "com.microsoft";

constexpr Converter kConverters[] = {
    {.op = "Gemm", .emit = EmitGemm},
    {.op = "MatMul", .emit = EmitMatMul},
    {.op = "Einsum", .emit = EmitEinsum},
    {.op = "Det", .emit = EmitDet},
    {.op = "Linear", .emit = EmitLinearLayer, .domain = kOwnDomain},
    {.op = "ScaledDotProductAttention", .emit = EmitScaledDotProduct, .domain = kOwnDomain},
    {.op = "Attention", .emit = EmitAttention},
    {.op = "FlexAttention", .emit = EmitFlexAttention, .domain = "ai.onnx.preview"},
    {.op = "LinearAttention", .emit = EmitLinearAttention},
    {.op = "RotaryEmbedding", .emit = EmitRotaryEmbedding},
    {.op = "MatMulInteger", .emit = EmitMatMulInteger},
    {.op = "QLinearMatMul", .emit = EmitQLinearMatMul},
    {.op = "QGemm", .emit = EmitQGemm, .domain = kRuntime},
    {.op = "MatMulIntegerToFloat", .emit = EmitMatMulIntegerToFloat, .domain = kRuntime},
    {.op = "DynamicQuantizeMatMul", .emit = EmitDynamicQuantizeMatMul, .domain = kRuntime},
    {.op = "MatMulNBits", .emit = EmitMatMulNBits, .domain = kRuntime},
    {.op = "FusedMatMul", .emit = EmitFusedMatMul, .domain = kRuntime},
    {.op = "Attention", .emit = EmitRuntimeAttention, .domain = kRuntime},
    {.op = "QAttention", .emit = EmitRuntimeAttention, .domain = kRuntime},
    {.op = "MultiHeadAttention", .emit = EmitMultiHeadAttention, .domain = kRuntime},
    {.op = "GroupQueryAttention", .emit = EmitGroupQueryAttention, .domain = kRuntime},
    {.op = "RotaryEmbedding", .emit = EmitRuntimeRotaryEmbedding, .domain = kRuntime},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::linear
