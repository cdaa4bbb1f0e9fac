// ONNX: Gemm, MatMul, Einsum.
#include <algorithm>
#include <array>

#include "onnx/converter.h"
#include "onnx/expansion.h"
#include "onnx/integer_products.h"
#include "ops/linear/attention_onnx.h"
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

// ---- Einsum of one or two operands: transpose, reshape to [batch, rows, inner], multiply, and
// back.

struct Equation {
  std::vector<std::string> inputs;  // one letter for each dimension
  std::string output;
};

Result<Equation> ParseEquation(std::string text, size_t operands) {
  std::erase(text, ' ');
  if (text.find("...") != std::string::npos) {
    return Unsupported("an equation with '...'").Advise("name every dimension");
  }
  Equation equation;
  const size_t arrow = text.find("->");
  std::string left = text.substr(0, arrow);
  for (size_t begin = 0; begin <= left.size();) {
    const size_t comma = std::min(left.find(',', begin), left.size());
    equation.inputs.push_back(left.substr(begin, comma - begin));
    begin = comma + 1;
  }
  if (equation.inputs.size() != operands)
    return InvalidInput("the equation '{}' has {} operands", text, equation.inputs.size());
  if (arrow != std::string::npos) {
    equation.output = text.substr(arrow + 2);
  } else {
    // Letters that occur once, in alphabetical order.
    std::string letters = left;
    std::erase(letters, ',');
    std::sort(letters.begin(), letters.end());
    for (const char letter : letters) {
      if (std::count(letters.begin(), letters.end(), letter) == 1) equation.output += letter;
    }
  }
  for (const auto& labels : equation.inputs) {
    for (const char label : labels) {
      if (std::count(labels.begin(), labels.end(), label) != 1) {
        return Unsupported("a letter that occurs twice in one operand");
      }
    }
  }
  for (const char label : equation.output) {
    if (left.find(label) == std::string::npos ||
        std::count(equation.output.begin(), equation.output.end(), label) != 1) {
      return InvalidInput("the output of '{}' has letters that its inputs do not have", text);
    }
  }
  return equation;
}

// An operand and the letter of each of its dimensions.
struct Labeled {
  ir::Value* value;
  std::string labels;
};

bool Contains(const std::string& labels, char label) {
  return labels.find(label) != std::string::npos;
}

// Sums over the dimensions whose letter is not in `keep`.
void SumOut(NodeContext& c, Labeled& x, const std::string& keep) {
  std::vector<int64_t> axes;
  std::string left;
  for (size_t d = 0; d < x.labels.size(); ++d) {
    if (Contains(keep, x.labels[d])) {
      left += x.labels[d];
    } else {
      axes.push_back(static_cast<int64_t>(d));
    }
  }
  if (axes.empty()) return;
  x.value =
      c.Op("reduce_sum", {{"x", x.value}, {"axes", ir::Ints(axes)}, {"keep_dims", Flag(false)}});
  x.labels = left;
}

void TransposeTo(NodeContext& c, Labeled& x, const std::string& labels) {
  if (x.labels == labels) return;
  std::vector<int64_t> perm;
  for (const char label : labels) perm.push_back(static_cast<int64_t>(x.labels.find(label)));
  x.value = c.Op("transpose", {{"x", x.value}, {"perm", ir::Ints(perm)}});
  x.labels = labels;
}

Status EmitEinsum(NodeContext& c) {
  const size_t operands = c.InputCount();
  if (operands != 1 && operands != 2) {
    return Unsupported("{} operands", operands).Advise("split it into Einsums of two operands");
  }
  ANEMONE_ASSIGN(const Equation equation, ParseEquation(c.String("equation", ""), operands));
  std::array<int64_t, 256> sizes{};
  for (size_t i = 0; i < operands; ++i) {
    if (!c.Has(i)) return InvalidInput("input {} is missing", i);
    if (equation.inputs[i].size() != c.Sizes(i).size()) {
      return InvalidInput("operand {} has rank {}, but the equation says {}", i, c.Rank(i),
                          equation.inputs[i].size());
    }
    for (size_t d = 0; d < c.Sizes(i).size(); ++d) {
      int64_t& size = sizes[static_cast<unsigned char>(equation.inputs[i][d])];
      if (size != 0 && size != c.Sizes(i)[d]) {
        return Unsupported("the letter '{}' stands for both {} and {}", equation.inputs[i][d],
                           c.symbols().Text(size), c.symbols().Text(c.Sizes(i)[d]));
      }
      size = c.Sizes(i)[d];
    }
  }
  Labeled a{c.Value(0), equation.inputs[0]};
  if (operands == 1) {
    SumOut(c, a, equation.output);
    TransposeTo(c, a, equation.output);
    return c.Set(0, a.value);
  }
  Labeled b{c.Value(1), equation.inputs[1]};
  SumOut(c, a, equation.output + b.labels);
  SumOut(c, b, equation.output + a.labels);
  std::string batch, rows, columns, inner;
  for (const char label : a.labels) {
    const bool both = Contains(b.labels, label);
    (both ? (Contains(equation.output, label) ? batch : inner) : rows) += label;
  }
  for (const char label : b.labels) {
    if (!Contains(a.labels, label)) columns += label;
  }
  TransposeTo(c, a, batch + rows + inner);
  TransposeTo(c, b, batch + inner + columns);
  const auto product = [&](const std::string& labels) {
    int64_t size = 1;
    for (const char label : labels)
      size = c.MulSizes(size, sizes[static_cast<unsigned char>(label)]);
    return size;
  };
  a.value = c.Reshape(a.value, {product(batch), product(rows), product(inner)});
  b.value = c.Reshape(b.value, {product(batch), product(inner), product(columns)});
  Labeled y{c.Op("matmul", {{"x", a.value},
                            {"y", b.value},
                            {"transpose_x", Flag(false)},
                            {"transpose_y", Flag(false)}}),
            batch + rows + columns};
  ir::Shape dims;
  for (const char label : y.labels) dims.push_back(sizes[static_cast<unsigned char>(label)]);
  if (y.labels == equation.output) return c.SetView(0, y.value, std::move(dims));
  y.value = c.Reshape(y.value, dims);
  TransposeTo(c, y, equation.output);
  return c.Set(0, y.value);
}

constexpr std::string_view kRuntime = "com.microsoft";

constexpr Converter kConverters[] = {
    {.op = "Gemm", .emit = EmitGemm},
    {.op = "MatMul", .emit = EmitMatMul},
    {.op = "Einsum", .emit = EmitEinsum},
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
