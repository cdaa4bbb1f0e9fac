// linear, matmul, einsum and scaled_dot_product_attention: definitions.
#include "ir/runtime_values.h"
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::linear {
namespace {

constexpr TypeDomain kNumberT{"T", "fp16 fp32 int32"};
constexpr TypeDomain kNumberU{"U", "fp16 fp32 int32"};
constexpr TypeDomain kFloatT{"T", "fp16 fp32"};

Status InferLinear(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  const Type& weight = args.TypeOf("weight");
  for (std::string_view param : {"weight", "bias"}) {
    if (args.opset() >= Opset::kIOS17 || !args.Has(param)) continue;
    const DType dtype = args.TypeOf(param).dtype();
    if (dtype != x.dtype()) {
      return Violates("linear_c4", "{} is {} and x is {}", param, DTypeName(dtype),
                      DTypeName(x.dtype()));
    }
  }
  if (!x.has_rank() || !weight.has_rank()) {
    *outputs = {Type::UnrankedTensor(x.dtype())};
    return {};
  }
  if (x.rank() < 1 || weight.rank() != 2) {
    return Violates("linear_c1", "x of rank {} with weight of rank {}", x.rank(), weight.rank());
  }
  if (!DimsAgree(x.shape().back(), weight.shape()[1])) {
    return Violates("linear_c2", "x has {} features and weight takes {}", x.shape().back(),
                    weight.shape()[1]);
  }
  if (args.Has("bias")) {
    const Type& bias = args.TypeOf("bias");
    if (bias.has_rank() && (bias.rank() != 1 || !DimsAgree(bias.shape()[0], weight.shape()[0]))) {
      return Violates("linear_c3", "bias of shape {} for {} outputs",
                      ir::ShapeToString(bias.shape()), weight.shape()[0]);
    }
  }
  Shape shape = x.shape();
  shape.back() = weight.shape()[0];
  *outputs = {Type::Tensor(x.dtype(), std::move(shape))};
  return {};
}

OpCost LinearCost(const OpArgs& args, std::span<const Type> outputs) {
  const Shape& weight = args.TypeOf("weight").shape();
  return {CostProduct({OutputElements(outputs), weight.empty() ? 0 : weight.back(), 2})};
}

// Two dtypes go together from ios17 on when one operand is constant; the result has the dtype of
// the other.
Result<DType> MatmulDType(const OpArgs& args) {
  const DType x = args.TypeOf("x").dtype();
  const DType y = args.TypeOf("y").dtype();
  if (x == y) return x;
  if (args.opset() < Opset::kIOS17) {
    return Violates("matmul_c5", "x is {} and y is {} before ios17", DTypeName(x), DTypeName(y));
  }
  if (args.operation() == nullptr) {
    const bool known_x = args.ValueOf("x") != nullptr;
    // While constants are folded the variable operand is known too: integers beside floats are the constant.
    if (known_x == (args.ValueOf("y") != nullptr)) return IsFloat(x) || !IsFloat(y) ? x : y;
    return known_x ? y : x;
  }
  const bool constant_x = IsConstantArg(args, "x");
  if (constant_x == IsConstantArg(args, "y")) {
    return Violates("matmul_c5", "x is {} and y is {}, and {} constant", DTypeName(x), DTypeName(y),
                    constant_x ? "both are" : "neither is");
  }
  return constant_x ? y : x;
}

// The operand as a matrix or a stack of them, after its transposition; a vector gets a row (x) or a
// column (y) added.
Result<Shape> MatrixShape(const OpArgs& args, std::string_view param, std::string_view transpose) {
  Shape shape = args.TypeOf(param).shape();
  if (shape.empty()) return Violates("matmul_c1", "{} is a scalar", param);
  ANEMONE_ASSIGN(const bool transposed, args.Bool(transpose));
  if (shape.size() == 1) {
    if (transposed) return Violates("matmul_c2", "{} on {} of rank 1", transpose, param);
    shape.insert(param == "x" ? shape.begin() : shape.end(), 1);
  }
  if (transposed) std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  return shape;
}

Status InferMatmul(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const DType dtype, MatmulDType(args));
  if (!args.TypeOf("x").has_rank() || !args.TypeOf("y").has_rank()) {
    *outputs = {Type::UnrankedTensor(dtype)};
    return {};
  }
  ANEMONE_ASSIGN(const Shape x, MatrixShape(args, "x", "transpose_x"));
  ANEMONE_ASSIGN(const Shape y, MatrixShape(args, "y", "transpose_y"));
  if (!DimsAgree(x[x.size() - 1], y[y.size() - 2])) {
    return Violates("matmul_c3", "{} columns of x against {} rows of y", x[x.size() - 1],
                    y[y.size() - 2]);
  }
  ANEMONE_ASSIGN(Shape shape,
                 BroadcastShapes("matmul_c4", {x.begin(), x.end() - 2}, {y.begin(), y.end() - 2}));
  if (args.TypeOf("x").rank() > 1) shape.push_back(x[x.size() - 2]);
  if (args.TypeOf("y").rank() > 1) shape.push_back(y[y.size() - 1]);
  *outputs = {Type::Tensor(dtype, std::move(shape))};
  return {};
}

OpCost MatmulCost(const OpArgs& args, std::span<const Type> outputs) {
  if (!args.TypeOf("x").has_rank()) return {};
  Result<Shape> x = MatrixShape(args, "x", "transpose_x");
  if (!x.ok()) return {};
  return {CostProduct({OutputElements(outputs), x->back(), 2})};
}

// "nchw,nwhu->nchu" under any letters: every letter of `pattern` stands for one letter of `text`,
// and back.
bool SameEquation(std::string_view text, std::string_view pattern) {
  if (text.size() != pattern.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (is_letter(text[i]) != is_letter(pattern[i])) return false;
    if (!is_letter(text[i]) && text[i] != pattern[i]) return false;
    for (size_t j = 0; j < i; ++j) {
      if ((text[i] == text[j]) != (pattern[i] == pattern[j])) return false;
    }
  }
  return true;
}

Status InferEinsum(const OpArgs& args, std::vector<Type>* outputs) {
  if (args.Count("values") != 2) return Violates("einsum_c1", "{} values", args.Count("values"));
  const Type& x = args.TypeOf("values", 0);
  const Type& y = args.TypeOf("values", 1);
  ANEMONE_ASSIGN(std::string equation, args.String("equation"));
  std::erase(equation, ' ');
  const bool batched = SameEquation(equation, "nchw,nwhu->nchu");
  if (!batched && !SameEquation(equation, "chw,whu->chu")) {
    return Violates("einsum_c2",
                    "equation \"{}\" is not of the form nchw,nwhu->nchu or chw,whu->chu", equation);
  }
  if (!x.has_rank() || !y.has_rank()) {
    *outputs = {Type::UnrankedTensor(x.dtype())};
    return {};
  }
  const int rank = batched ? 4 : 3;
  if (x.rank() != rank || y.rank() != rank) {
    return Violates("einsum_c3", "values of rank {} and {} in equation \"{}\"", x.rank(), y.rank(),
                    equation);
  }
  const size_t c = static_cast<size_t>(rank) - 3;
  if (!DimsAgree(x.shape()[c + 2], y.shape()[c])) {
    return Violates("einsum_c4", "{} columns of the first value against {} rows of the second",
                    x.shape()[c + 2], y.shape()[c]);
  }
  Shape shape = x.shape();
  shape[c + 2] = y.shape()[c + 2];
  for (size_t d : batched ? std::vector<size_t>{0, 2} : std::vector<size_t>{1}) {  // n and h
    ANEMONE_ASSIGN(const Shape dim, BroadcastShapes("einsum_c5", {x.shape()[d]}, {y.shape()[d]}));
    shape[d] = dim[0];
  }
  *outputs = {Type::Tensor(x.dtype(), std::move(shape))};
  return {};
}

OpCost EinsumCost(const OpArgs& args, std::span<const Type> outputs) {
  const Type& x = args.TypeOf("values", 0);
  if (!x.has_rank() || x.rank() == 0) return {};
  return {CostProduct({OutputElements(outputs), x.shape().back(), 2})};
}

Status CheckMask(const OpArgs& args, const Shape& query, int64_t sources) {
  const Type& mask = args.TypeOf("attn_mask");
  if (!mask.has_rank()) return {};
  Shape scores = query;
  scores.back() = sources;
  const bool has_sources = mask.rank() >= 1 && DimsAgree(mask.shape().back(), sources);
  if (has_sources && mask.rank() <= static_cast<int>(scores.size())) {
    Result<Shape> together = BroadcastShapes("", mask.shape(), scores);
    if (together.ok() && ShapesAgree(*together, scores)) return {};
  }
  return Violates("scaled_dot_product_attention_c5", "attn_mask of shape {} for scores of shape {}",
                  ir::ShapeToString(mask.shape()), ir::ShapeToString(scores));
}

Status InferAttention(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& query = args.TypeOf("query");
  const Type& key = args.TypeOf("key");
  const Type& value = args.TypeOf("value");
  if (!query.has_rank() || !key.has_rank() || !value.has_rank()) {
    *outputs = {Type::UnrankedTensor(query.dtype())};
    return {};
  }
  const int rank = query.rank();
  if (rank < 3 || key.rank() != rank || value.rank() != rank) {
    return Violates("scaled_dot_product_attention_c1", "query, key and value of rank {}, {}, {}",
                    rank, key.rank(), value.rank());
  }
  Shape shape = query.shape();
  for (size_t i = 0; i + 2 < shape.size(); ++i) {
    const int64_t known = MergeDims(MergeDims(shape[i], key.shape()[i]), value.shape()[i]);
    if (!DimsAgree(known, key.shape()[i]) || !DimsAgree(known, value.shape()[i])) {
      return Violates("scaled_dot_product_attention_c2", "batch dimension {}: {}, {}, {}", i,
                      shape[i], key.shape()[i], value.shape()[i]);
    }
    shape[i] = known;
  }
  const auto last = static_cast<size_t>(rank) - 1;
  if (!DimsAgree(shape[last], key.shape()[last])) {
    return Violates("scaled_dot_product_attention_c3", "query embeds in {} dimensions, key in {}",
                    shape[last], key.shape()[last]);
  }
  const int64_t sources = MergeDims(key.shape()[last - 1], value.shape()[last - 1]);
  if (!DimsAgree(sources, value.shape()[last - 1])) {
    return Violates("scaled_dot_product_attention_c4", "{} keys for {} values", sources,
                    value.shape()[last - 1]);
  }
  if (args.Has("attn_mask")) ANEMONE_TRY(CheckMask(args, shape, sources));
  shape[last] = value.shape()[last];
  *outputs = {Type::Tensor(query.dtype(), std::move(shape))};
  return {};
}

// Two products of every query with every source; the softmax between them is not counted.
OpCost AttentionCost(const OpArgs& args, std::span<const Type>) {
  const Shape& query = args.TypeOf("query").shape();
  const Shape& value = args.TypeOf("value").shape();
  if (query.size() < 3 || value.size() < 3) return {};
  const Result<int64_t> depth = AddDims(query.back(), value.back());
  if (!depth.ok()) return {};
  const int64_t queries = CostProduct(std::span(query).first(query.size() - 1));
  return {CostProduct({queries, value[value.size() - 2], *depth, 2})};
}

}  // namespace

std::vector<OpDef> Defs() {
  const Param transpose_x{.name = "transpose_x",
                          .types = "bool",
                          .required = false,
                          .constant = true,
                          .default_text = "false"};
  Param transpose_y = transpose_x;
  transpose_y.name = "transpose_y";
  return {
      {.name = "linear",
       .doc = "x * weight^T + bias over the last dimension: x is [..., D_in], weight [D_out, "
              "D_in], bias [D_out], the result [..., D_out].",
       .params = {{.name = "x", .types = "T"},
                  {.name = "weight", .types = "U", .constant = true},
                  {.name = "bias", .types = "U", .required = false, .constant = true}},
       .domains = {kNumberT, kNumberU},
       .constraints = {{"linear_c1", "x has rank 1 or more and weight has rank 2"},
                       {"linear_c2", "the last dimensions of x and weight are equal"},
                       {"linear_c3", "bias has rank 1 and as many elements as weight has rows"},
                       {"linear_c4", "before ios17, weight and bias have the dtype of x"}},
       .infer = InferLinear,
       .cost = LinearCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred),
       .integers_grow = true},
      {.name = "matmul",
       .doc = "Matrix product over the last two dimensions, broadcast over those before: [..., m, "
              "k] times [..., k, n] gives [..., m, n]. A vector acts as one row (x) or one column "
              "(y), and that dimension leaves the result.",
       .params =
           {{.name = "x", .types = "T"}, {.name = "y", .types = "U"}, transpose_x, transpose_y},
       .domains = {kNumberT, kNumberU},
       .constraints = {{"matmul_c1", "neither operand is a scalar"},
                       {"matmul_c2", "a transposed operand has rank 2 or more"},
                       {"matmul_c3", "x has as many columns as y has rows, after transposition"},
                       {"matmul_c4", "the dimensions before the last two broadcast"},
                       {"matmul_c5",
                        "x and y have one dtype; from ios17 on they may differ when exactly one "
                        "of them is constant"}},
       .infer = InferMatmul,
       .cost = MatmulCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred),
       .integers_grow = true},
      {.name = "einsum",
       .doc = "Matrix product over dimensions -1 and -3: values [n, c, h, w] and [n, w, h, u] "
              "give [n, c, h, u] (or all without n), with n and h broadcast. `equation` names the "
              "dimensions in any letters.",
       .params = {{.name = "values", .types = "T", .variadic = true},
                  {.name = "equation", .types = "string", .constant = true}},
       .domains = {kFloatT},
       .constraints = {{"einsum_c1", "there are two values"},
                       {"einsum_c2",
                        "the equation is nchw,nwhu->nchu or chw,whu->chu, in any letters"},
                       {"einsum_c3", "both values have as many dimensions as the equation names"},
                       {"einsum_c4",
                        "the last dimension of the first value equals dimension -3 of the second"},
                       {"einsum_c5", "the other shared dimensions broadcast"}},
       .infer = InferEinsum,
       .cost = EinsumCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "scaled_dot_product_attention",
       .doc = "softmax(query * key^T / sqrt(E) + attn_mask) * value for query [..., L, E], key "
              "[..., S, E] and value [..., S, EV]; the result is [..., L, EV]. A bool mask lets "
              "through where true; a query with nothing let through gives zeros.",
       .since = Opset::kIOS18,
       .params = {{.name = "query", .types = "T"},
                  {.name = "key", .types = "T"},
                  {.name = "value", .types = "T"},
                  {.name = "attn_mask", .types = "M", .required = false}},
       .domains = {kFloatT, {"M", "bool fp16 fp32"}},
       .constraints =
           {{"scaled_dot_product_attention_c1", "query, key and value have one rank, 3 or more"},
            {"scaled_dot_product_attention_c2", "their dimensions before the last two are equal"},
            {"scaled_dot_product_attention_c3", "query and key have equal last dimensions"},
            {"scaled_dot_product_attention_c4", "key and value have equal sequence lengths"},
            {"scaled_dot_product_attention_c5",
             "attn_mask broadcasts to [..., L, S], and its last dimension is S"}},
       .infer = InferAttention,
       .cost = AttentionCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
  };
}

}  // namespace anemone::ops::linear
