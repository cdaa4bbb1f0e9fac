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

struct Term {
  std::string value, labels;
};

// "..." becomes capital letters that the equation does not use: one for each dimension it stands for,
// aligned at the back.
Result<std::string> Plain(const std::string& labels, int64_t rank, int64_t most,
                          const std::string& free) {
  const size_t dots = labels.find("...");
  if (dots == std::string::npos) return labels;
  const int64_t covered = rank - (std::ssize(labels) - 3);
  if (covered < 0 || covered > most) return InvalidInput("'{}' does not fit rank {}", labels, rank);
  return labels.substr(0, dots) +
         free.substr(static_cast<size_t>(most - covered), static_cast<size_t>(covered)) +
         labels.substr(dots + 3);
}

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

Result<Equation> ParseEinsum(std::string text, const std::vector<int64_t>& ranks) {
  std::erase(text, ' ');
  Equation equation;
  const size_t arrow = text.find("->");
  const std::string left = text.substr(0, arrow);
  for (size_t begin = 0; begin <= left.size();) {
    const size_t comma = std::min(left.find(',', begin), left.size());
    equation.inputs.push_back(left.substr(begin, comma - begin));
    begin = comma + 1;
  }
  if (equation.inputs.size() != ranks.size())
    return InvalidInput("the equation '{}' does not have {} operands", text, ranks.size());
  std::string free;
  for (char letter = 'Z'; letter >= 'A'; --letter) {
    if (text.find(letter) == std::string::npos) free += letter;
  }
  int64_t most = 0;
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (equation.inputs[i].find("...") != std::string::npos)
      most = std::max(most, ranks[i] - (std::ssize(equation.inputs[i]) - 3));
  }
  if (most > std::ssize(free)) return InvalidInput("the equation has too many letters");
  for (size_t i = 0; i < ranks.size(); ++i) {
    ANEMONE_ASSIGN(equation.inputs[i], Plain(equation.inputs[i], ranks[i], most, free));
    if (std::ssize(equation.inputs[i]) != ranks[i])
      return InvalidInput("'{}' does not fit rank {}", equation.inputs[i], ranks[i]);
  }
  if (arrow != std::string::npos) {
    equation.output = text.substr(arrow + 2);
    const size_t dots = equation.output.find("...");
    if (dots != std::string::npos)
      equation.output.replace(dots, 3, free.substr(0, static_cast<size_t>(most)));
    return equation;
  }
  std::string letters;
  for (const std::string& labels : equation.inputs) letters += labels;
  equation.output = free.substr(0, static_cast<size_t>(most));
  std::string once;
  for (const char letter : letters) {
    const bool broadcast = equation.output.find(letter) != std::string::npos;
    if (!broadcast && std::ranges::count(letters, letter) == 1) once += letter;
  }
  std::ranges::sort(once);
  equation.output += once;
  return equation;
}

// A letter that stands twice in one operand takes its diagonal: the later one is gathered away.
Status TakeDiagonals(Context& c, Term& term, const std::vector<std::optional<int64_t>>& sizes) {
  for (size_t d = 0; d < term.labels.size(); ++d) {
    const size_t again = term.labels.find(term.labels[d], d + 1);
    if (again == std::string::npos) continue;
    if (!sizes[d]) return Unsupported("a diagonal of a symbolic size");
    // mask with the identity and sum over the second occurrence
    std::vector<float> eye(static_cast<size_t>(*sizes[d] * *sizes[d]), 0.0f);
    for (int64_t i = 0; i < *sizes[d]; ++i) eye[static_cast<size_t>(i * *sizes[d] + i)] = 1;
    std::vector<int64_t> dims(term.labels.size(), 1);
    dims[d] = dims[again] = *sizes[d];
    const auto mask = onnx::Constant::Floats(std::move(eye), dims);
    term.value = c.Op("Mul", {term.value, c.Known(mask)});
    term.value = c.Op("ReduceSum", {term.value, c.Int64s({static_cast<int64_t>(again)})},
                      {Int("keepdims", 0)});
    term.labels.erase(again, 1);
    std::vector<std::optional<int64_t>> rest = sizes;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(again));
    return TakeDiagonals(c, term, rest);
  }
  return {};
}

Status EmitEinsum(Context& c) {
  const std::string text = c.Text("equation", "");
  const Argument* operands = c.Find("tensors");
  if (operands == nullptr || operands->names.empty()) return InvalidInput("it has no operands");
  std::vector<int64_t> ranks;
  for (const std::string& name : operands->names) ranks.push_back(c.MetaOf(name).rank());
  ANEMONE_ASSIGN(const Equation equation, ParseEinsum(text, ranks));
  std::vector<Term> terms;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const TensorMeta& meta = c.MetaOf(operands->names[i]);
    Term term{
        c.As(c.ValueOf(operands->names[i]), torch::CategoryOf(meta.dtype()), Category::kFloat),
        equation.inputs[i]};
    std::vector<std::optional<int64_t>> sizes;
    for (const Size& size : meta.sizes) sizes.push_back(size.value);
    ANEMONE_TRY(TakeDiagonals(c, term, sizes));
    // A dimension of size 1 may meet a larger one: it is dropped, as broadcasting has it.
    std::vector<int64_t> dropped;
    if (term.labels.size() == sizes.size()) {
      std::string left;
      for (size_t d = 0; d < sizes.size(); ++d) {
        bool elsewhere = false;
        for (size_t j = 0; j < equation.inputs.size(); ++j)
          elsewhere |= j != i && equation.inputs[j].find(term.labels[d]) != std::string::npos;
        if (sizes[d] == 1 && elsewhere && ranks.size() > 1) {
          bool larger = false;
          for (size_t j = 0; j < equation.inputs.size(); ++j) {
            const size_t at = equation.inputs[j].find(term.labels[d]);
            if (j == i || at == std::string::npos) continue;
            larger |= c.MetaOf(operands->names[j]).sizes[at].value != 1;
          }
          if (larger) {
            dropped.push_back(static_cast<int64_t>(d));
            continue;
          }
        }
        left += term.labels[d];
      }
      term.value = c.Squeeze(term.value, dropped);
      term.labels = left;
    }
    terms.push_back(std::move(term));
  }
  const auto multiply = [&](const Term& a, const Term* b, const std::string& out) {
    std::string written = a.labels;
    Values inputs = {a.value};
    if (b != nullptr) {
      written += "," + b->labels;
      inputs.push_back(b->value);
    }
    return Term{c.Op("Einsum", inputs, {onnx::attribute::Text("equation", written + "->" + out)}),
                out};
  };
  // From the left, two at a time; letters that nothing further needs are summed at once.
  while (terms.size() > 1) {
    std::string out;
    for (const char letter : terms[0].labels + terms[1].labels) {
      bool wanted = equation.output.find(letter) != std::string::npos;
      for (size_t j = 2; j < terms.size(); ++j)
        wanted |= terms[j].labels.find(letter) != std::string::npos;
      if (wanted && out.find(letter) == std::string::npos) out += letter;
    }
    if (terms.size() == 2) out = equation.output;
    terms[0] = multiply(terms[0], &terms[1], out);
    terms.erase(terms.begin() + 1);
  }
  if (terms[0].labels != equation.output) terms[0] = multiply(terms[0], nullptr, equation.output);
  return c.SetAs(0, terms[0].value, Category::kFloat);
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
