// PyTorch: matrix products, linear layers, einsum and attention.
#include <algorithm>
#include <cmath>

#include "onnx/integer_products.h"
#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::linear {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

Status EmitLinear(Context& c) {
  const auto dims = c.OutDims();
  if (c.Rank("input") > onnx::kMaxRank && dims) {  // a vector is a vector in any number of dims
    const std::string rows = c.Reshape(c.Need("input"), {-1, c.FixedDim("input", -1)});
    return c.Set(0, c.Reshape(c.OpOf(std::string(onnx::kOwnDomain), "Linear",
                                     {rows, c.Need("weight"), c.In("bias")}),
                              *dims));
  }
  return c.Set(0, c.OpOf(std::string(onnx::kOwnDomain), "Linear",
                         {c.Need("input"), c.Need("weight"), c.In("bias")}));
}

// Products of integers are made in floats, which hold them up to 2^24.
Status EmitProduct(Context& c, std::string_view left, std::string_view right) {
  return c.SetAs(0, c.Op("MatMul", {c.FloatIn(left), c.FloatIn(right)}), Category::kFloat);
}

Status EmitMatMul(Context& c) { return EmitProduct(c, "self", "other"); }
Status EmitMatrices(Context& c) { return EmitProduct(c, "self", "mat2"); }
// Sums that become floats at once need not be exact to the last of their 31 bits.
Status EmitIntegerMatrices(Context& c) {
  const auto whole = [&](std::string_view name) {
    return c.Op("DequantizeLinear", {c.Need(name), c.Number(1)});
  };
  if (c.IsReadAsFloat()) return c.Set(0, c.Op("MatMul", {whole("self"), whole("mat2")}));
  return c.Set(0, c.Op("MatMulInteger", {c.Need("self"), c.Need("mat2")}));
}
Status EmitMatrixVector(Context& c) { return EmitProduct(c, "self", "vec"); }
Status EmitDot(Context& c) { return EmitProduct(c, "self", "tensor"); }

// beta * self + alpha * (a b)
Status EmitAdded(Context& c, std::string_view a, std::string_view b) {
  const double alpha = c.Number("alpha", 1), beta = c.Number("beta", 1);
  if (c.Rank(a) == 2 && c.Rank(b) == 2 && c.OutCategory() == Category::kFloat) {
    return c.Set(0, c.Op("Gemm", {c.FloatIn(a), c.FloatIn(b), beta == 0 ? "" : c.FloatIn("self")},
                         {Float("alpha", alpha), Float("beta", beta)}));
  }
  std::string y = c.Op("MatMul", {c.FloatIn(a), c.FloatIn(b)});
  if (alpha != 1) y = c.Op("Mul", {y, c.Number(alpha)});
  if (beta != 0) {
    std::string bias = c.FloatIn("self");
    if (beta != 1) bias = c.Op("Mul", {bias, c.Number(beta)});
    y = c.Op("Add", {y, bias});
  }
  return c.SetAs(0, y, Category::kFloat);
}

Status EmitAddmm(Context& c) { return EmitAdded(c, "mat1", "mat2"); }
Status EmitBaddbmm(Context& c) { return EmitAdded(c, "batch1", "batch2"); }
Status EmitAddmv(Context& c) { return EmitAdded(c, "mat", "vec"); }

// The sum of products along an axis.
Status EmitVecDot(Context& c) {
  const int64_t rank = c.Out(0).rank() + 1;
  const std::string product = c.Op("Mul", {c.FloatIn("x"), c.FloatIn("y")});
  const std::string axis = c.Int64s({c.Axis("dim", -1, rank)});
  return c.SetAs(0, c.Op("ReduceSum", {product, axis}, {Int("keepdims", 0)}), Category::kFloat);
}

// Over the last axis of both.
Status EmitInner(Context& c) {
  const std::string a = c.FloatIn("self"), b = c.FloatIn("other");
  const int64_t left = c.Rank("self"), right = c.Rank("other");
  if (left == 0 || right == 0) return c.SetAs(0, c.Op("Mul", {a, b}), Category::kFloat);
  std::string equation, ends;
  for (int64_t d = 0; d + 1 < left; ++d) equation += static_cast<char>('a' + d);
  ends = equation;
  equation += "z,";
  for (int64_t d = 0; d + 1 < right; ++d) {
    equation += static_cast<char>('n' + d);
    ends += static_cast<char>('n' + d);
  }
  if (left > 12 || right > 12) return Unsupported("rank {}", std::max(left, right));
  return c.SetAs(
      0, c.Op("Einsum", {a, b}, {onnx::attribute::Text("equation", equation + "z->" + ends)}),
      Category::kFloat);
}

// x1 A x2 + b for each of the outputs: [..., out].
Status EmitBilinear(Context& c) {
  // weight [out, in1, in2]; x1 [..., in1] and x2 [..., in2].
  const std::string x1 = c.Unsqueeze(c.Need("input1"), {c.Rank("input1") - 1});
  const std::string x2 = c.Unsqueeze(c.Need("input2"), {c.Rank("input2") - 1});
  const std::string left = c.Op(
      "MatMul", {c.Unsqueeze(x1, {c.Rank("input1") - 1}), c.Need("weight")});  // [..., out, 1, in2]
  std::string y = c.Op("Mul", {c.Squeeze(left, {-2}), x2});
  y = c.Op("ReduceSum", {y, c.Int64s({-1})}, {Int("keepdims", 0)});
  if (c.Has("bias")) y = c.Op("Add", {y, c.In("bias")});
  return c.Set(0, y);
}

// ---- einsum

// ONNX's equations are PyTorch's.
Status EmitEinsum(Context& c) {
  const Argument* operands = c.Find("tensors");
  if (operands == nullptr || operands->names.empty()) return InvalidInput("it has no operands");
  Values inputs;
  for (const std::string& name : operands->names) {
    inputs.push_back(
        c.As(c.ValueOf(name), torch::CategoryOf(c.MetaOf(name).dtype()), Category::kFloat));
  }
  const std::string equation = c.Text("equation", "");
  return c.SetAs(0, c.Op("Einsum", inputs, {onnx::attribute::Text("equation", equation)}),
                 Category::kFloat);
}

// ---- attention

// A head of key and value for each head of the query.
std::string RepeatHeads(Context& c, std::string_view name, int64_t heads) {
  std::string x = c.Need(name);
  const int64_t own = c.FixedDim(name, -3);
  if (own == heads || own == 0) return x;
  if (heads % own != 0) (void)c.Fail(InvalidInput("{} heads for {}", heads, own));
  const int64_t rank = c.Rank(name);
  std::string y = c.Unsqueeze(x, {rank - 2});
  std::vector<int64_t> times(static_cast<size_t>(rank) + 1, 1);
  times[static_cast<size_t>(rank) - 2] = heads / own;
  y = c.Op("Tile", {y, c.Int64s(times)});
  const std::string batch = c.Op("Shape", {x}, {Int("start", 0), Int("end", rank - 3)});
  const std::string rest = c.Op("Shape", {x}, {Int("start", rank - 2), Int("end", rank)});
  return c.Op("Reshape", {y, c.Op("Concat", {batch, c.Int64s({heads}), rest}, {Int("axis", 0)})});
}

Status EmitAttention(Context& c) {
  std::string key = c.Need("key"), value = c.Need("value");
  if (c.Flag("enable_gqa", false)) {
    const int64_t heads = c.FixedDim("query", -3);
    key = RepeatHeads(c, "key", heads);
    value = RepeatHeads(c, "value", heads);
  }
  Attributes attributes;
  if (c.Has("scale")) attributes.push_back(Float("scale", c.Number("scale", 1)));
  std::string mask = c.In("attn_mask");
  if (c.Flag("is_causal", false)) {
    if (!mask.empty()) return Unsupported("a mask together with is_causal");
    attributes.push_back(Int("is_causal", 1));
  }
  // The dropout of the attention is off outside of training.
  if (c.Number("dropout_p", 0) != 0) {
    return Unsupported("dropout of {}", c.Number("dropout_p", 0))
        .Advise("call model.eval() before the export");
  }
  return c.Set(0, c.OpOf(std::string(onnx::kOwnDomain), "ScaledDotProductAttention",
                         {c.Need("query"), key, value, mask}, std::move(attributes)));
}

constexpr Converter kConverters[] = {
    {.target = "aten.linear.default", .emit = EmitLinear},
    {.target = "aten.matmul.default", .emit = EmitMatMul},
    {.target = "aten.mm.default", .emit = EmitMatrices},
    {.target = "aten._int_mm.default", .emit = EmitIntegerMatrices},
    {.target = "aten.bmm.default", .emit = EmitMatrices},
    {.target = "aten.mv.default", .emit = EmitMatrixVector},
    {.target = "aten.dot.default", .emit = EmitDot},
    {.target = "aten.vdot.default", .emit = EmitMatMul},
    {.target = "aten.inner.default", .emit = EmitInner},
    {.target = "aten.linalg_vecdot.default", .emit = EmitVecDot},
    {.target = "aten.addmm.default", .emit = EmitAddmm},
    {.target = "aten.baddbmm.default", .emit = EmitBaddbmm},
    {.target = "aten.addmv.default", .emit = EmitAddmv},
    {.target = "aten.bilinear.default", .emit = EmitBilinear},
    {.target = "aten.einsum.default", .emit = EmitEinsum},
    {.target = "aten.scaled_dot_product_attention.default", .emit = EmitAttention},
    {.target = "aten._scaled_dot_product_flash_attention_for_cpu.default", .emit = EmitAttention},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::linear
