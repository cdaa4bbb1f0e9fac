// Recognizes attention from ios18 on: softmax(query key^T * scale + mask) value becomes
// scaled_dot_product_attention, which has the scale 1 / sqrt(E) built in; what another scale
// differs by is multiplied to the query. Exporters scale the scores, or query and key by the root
// of it; the key may come transposed. The batch dimensions must be known and equal, because the
// operator does not broadcast them.
//
//   before                                                        after
//     s = matmul(x = q, y = k, transpose_x = false,                 y = scaled_dot_product_attention(
//                transpose_y = true);                                   query = q, key = k, value = v,
//     a = mul(x = s, y = 0.125);                                        attn_mask = m);
//     b = add(x = a, y = m);                                      } -> (y);
//     p = softmax(x = b, axis = -1);
//     y = matmul(x = p, y = v, transpose_x = false,
//                transpose_y = false);
//   } -> (y);
#include <algorithm>
#include <cmath>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

struct Attention {
  ir::Value* query = nullptr;
  ir::Value* key = nullptr;  // [..., S, E], or [..., E, S] when `key_transposed`
  bool key_transposed = false;
  ir::Value* value = nullptr;
  ir::Value* mask = nullptr;
  double scale = 1;
};

// What is left of a product by numbers that only its user needs; `scale` times them.
ir::Value* WithoutScale(const Rewriter& rewriter, ir::Value* value, double* scale) {
  for (const std::string_view type : {"mul", "real_div"}) {
    const ir::Operation* op = OwnedProducer(rewriter, value, type);
    const auto scaled = op == nullptr ? std::nullopt : MatchScaled(*op);
    if (!scaled) continue;
    *scale *= scaled->scale;
    return WithoutScale(rewriter, scaled->value, scale);
  }
  return value;
}

struct MatrixProduct {
  ir::Value* x = nullptr;
  ir::Value* y = nullptr;
  bool transpose_y = false;
};

std::optional<MatrixProduct> MatchMatmul(const ir::Operation& op, ir::Opset opset) {
  if (op.type() != "matmul") return std::nullopt;
  const ir::OpArgs args(op, opset);
  const auto transpose_x = args.Bool("transpose_x");
  const auto transpose_y = args.Bool("transpose_y");
  if (!transpose_x.ok() || *transpose_x || !transpose_y.ok()) return std::nullopt;
  return MatrixProduct{op.Input("x"), op.Input("y"), *transpose_y};
}

bool IsLastAxis(const ir::Operation& softmax, ir::Opset opset) {
  const auto axis = ir::OpArgs(softmax, opset).Int("axis");
  return axis.ok() && (*axis == -1 || *axis == softmax.output()->type.rank() - 1);
}

// Fills scale, query and key from the value that the mask is added to.
bool MatchScores(const Rewriter& rewriter, ir::Value* scores, Attention* found) {
  found->scale = 1;
  ir::Value* product = WithoutScale(rewriter, scores, &found->scale);
  const ir::Operation* op = OwnedProducer(rewriter, product, "matmul");
  const auto operands = op == nullptr ? std::nullopt : MatchMatmul(*op, rewriter.opset());
  if (!operands) return false;
  found->query = WithoutScale(rewriter, operands->x, &found->scale);
  found->key = WithoutScale(rewriter, operands->y, &found->scale);
  found->key_transposed = !operands->transpose_y;
  return true;
}

// Whether the mask is one that the operator takes: of the scores' width, and no wider than they.
bool IsMaskOf(const ir::Value* mask, const ir::Value* scores) {
  const ir::Type& type = mask->type;
  if (!type.is_tensor() || !type.is_static() || !scores->type.is_static() || type.rank() == 0)
    return false;
  if (type.rank() > scores->type.rank() || type.dtype() != scores->type.dtype()) return false;
  const size_t missing = scores->type.shape().size() - type.shape().size();
  for (size_t d = 0; d < type.shape().size(); ++d) {
    const int64_t size = scores->type.shape()[missing + d];
    if (type.shape()[d] != size && (type.shape()[d] != 1 || d + 1 == type.shape().size()))
      return false;
  }
  return true;
}

bool ShapesFit(const Attention& found) {
  const ir::Type& q = found.query->type;
  const ir::Type& k = found.key->type;
  const ir::Type& v = found.value->type;
  if (!q.has_rank() || !k.has_rank() || !v.has_rank()) return false;
  const int rank = q.rank();
  if (rank < 3 || k.rank() != rank || v.rank() != rank) return false;
  for (int d = 0; d + 2 < rank; ++d) {
    const int64_t size = q.shape()[d];
    if (size < 0 || k.shape()[d] != size || v.shape()[d] != size) return false;
  }
  const int64_t embedding = q.shape()[rank - 1];
  if (embedding < 1 || q.dtype() != k.dtype() || q.dtype() != v.dtype() || !IsFloat(q.dtype()))
    return false;
  const int64_t keys = k.shape()[found.key_transposed ? rank - 1 : rank - 2];
  return keys == v.shape()[rank - 2];
}

std::optional<Attention> MatchAttention(const Rewriter& rewriter, const ir::Operation& last) {
  const auto weighted = MatchMatmul(last, rewriter.opset());
  if (!weighted || weighted->transpose_y) return std::nullopt;
  const ir::Operation* softmax = OwnedProducer(rewriter, weighted->x, "softmax");
  if (softmax == nullptr || !IsLastAxis(*softmax, rewriter.opset())) return std::nullopt;
  Attention found;
  found.value = weighted->y;
  ir::Value* scores = softmax->Input("x");
  bool matched = MatchScores(rewriter, scores, &found);
  if (const ir::Operation* sum = OwnedProducer(rewriter, scores, "add"); sum && !matched) {
    for (const std::string_view side : {"x", "y"}) {
      ir::Value* other = sum->Input(side == "x" ? "y" : "x");
      if (!IsMaskOf(other, scores) || !MatchScores(rewriter, sum->Input(side), &found)) continue;
      found.mask = other;
      matched = true;
      break;
    }
  }
  if (!matched || !ShapesFit(found)) return std::nullopt;
  return found;
}

// The key as [..., S, E].
ir::Value* KeyOf(Rewriter& rewriter, const Attention& found, const std::string& name) {
  if (!found.key_transposed) return found.key;
  std::vector<int64_t> order;
  for (int64_t d = 0; d < found.key->type.rank(); ++d) order.push_back(d);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return rewriter.builder().Op("transpose", {{"x", found.key}, {"perm", ir::Ints(order)}},
                               name + "_key");
}

}  // namespace

Result<bool> FuseAttention(ir::Function& function, PassContext&) {
  if (function.opset < ir::Opset::kIOS18) return false;
  Rewriter rewriter(function);
  for (ir::Operation* last : rewriter.operations()) {
    if (rewriter.IsDead(*last)) continue;
    const auto found = MatchAttention(rewriter, *last);
    if (!found) continue;
    const DType dtype = found->query->type.dtype();
    const auto embedding = static_cast<double>(found->query->type.shape().back());
    const double scale = found->scale * std::sqrt(embedding);
    ir::Value* query = found->query;
    if (std::abs(scale - 1) > 1e-6) {
      query = rewriter.builder().Op(
          "mul", {{"x", query}, {"y", ir::Literal::Float(dtype, static_cast<float>(scale))}},
          last->name() + "_query");
    }
    std::vector<ir::ArgInit> args = {
        {"query", query}, {"key", KeyOf(rewriter, *found, last->name())}, {"value", found->value}};
    if (found->mask != nullptr) args.push_back({"attn_mask", found->mask});
    ir::Value* y =
        rewriter.builder().Op("scaled_dot_product_attention", std::move(args), last->name());
    ANEMONE_TRY(rewriter.Commit(*last));
    rewriter.Replace(last->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
