// Recognizes a written-out layer_norm, as exporters emit it for old op sets, with or without gamma
// and beta:
//   (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * gamma + beta
// where mean is over the last dimensions. The division may be a product with rsqrt, the square a
// pow, a mul or a square.
//
//   before                                                    after
//     m = reduce_mean(x = x, axes = [2], keep_dims = true);     y = layer_norm(x = x, axes = [2],
//     d = sub(x = x, y = m);                                                   gamma = g, beta = b,
//     q = pow(x = d, y = 2.0);                                                 epsilon = 1e-5);
//     v = reduce_mean(x = q, axes = [2], keep_dims = true);   } -> (y);
//     e = add(x = v, y = 1e-5);
//     r = sqrt(x = e);
//     n = real_div(x = d, y = r);
//     s = mul(x = n, y = g);
//     y = add(x = s, y = b);
//   } -> (y);
#include <algorithm>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

struct Moments {
  ir::Value* x = nullptr;
  std::vector<int64_t> axes;
  double epsilon = 0;
};

// Non-negative, sorted axes of a reduction that keeps dimensions; empty otherwise.
std::vector<int64_t> AxesOf(const ir::Operation& reduction, ir::Opset opset) {
  const ir::OpArgs args(reduction, opset);
  const auto axes = args.Ints("axes");
  const auto keep = args.Bool("keep_dims");
  const ir::Type& type = reduction.Input("x")->type;
  if (!axes.ok() || !keep.ok() || !*keep || !type.has_rank()) return {};
  std::vector<int64_t> sorted = *axes;
  for (int64_t& axis : sorted) axis += axis < 0 ? type.rank() : 0;
  std::ranges::sort(sorted);
  return sorted;
}

// The square root of variance plus epsilon, by which the difference is divided (or multiplied, when
// it is inverted).
const ir::Operation* MatchRoot(const Rewriter& rewriter, const ir::Value* value, bool inverted,
                               ir::Opset opset, double* epsilon) {
  const ir::Operation* root = OwnedProducer(rewriter, value, inverted ? "rsqrt" : "sqrt");
  if (root == nullptr) return nullptr;
  *epsilon = 0;
  const ir::Value* variance = root->Input("x");
  if (const ir::Operation* sum = OwnedProducer(rewriter, variance, "add")) {
    const auto operands = MatchWithConst(*sum);
    const auto uniform = operands ? UniformValue(operands->constant) : std::nullopt;
    if (!uniform) return nullptr;
    *epsilon = *uniform;
    variance = operands->value;
  }
  if (inverted) {
    const auto own = ir::OpArgs(*root, opset).Float("epsilon");
    if (own.ok()) *epsilon += *own;
  }
  return OwnedProducer(rewriter, variance, "reduce_mean");
}

bool IsSquareOf(const ir::Operation* op, const ir::Value* value) {
  if (op == nullptr || op->Input("x") != value) return false;
  if (op->type() == "square") return true;
  if (op->type() == "mul") return op->Input("y") == value;
  return op->type() == "pow" && UniformValue(op->Input("y")) == 2.0;
}

std::optional<Moments> MatchNormalized(const Rewriter& rewriter, const ir::Operation& op) {
  const bool divides = op.type() == "real_div";
  for (const bool swapped : {false, true}) {
    if (divides && swapped) continue;
    const ir::Value* difference = op.Input(swapped ? "y" : "x");
    const ir::Value* root = op.Input(swapped ? "x" : "y");
    Moments found;
    const ir::Operation* variance =
        MatchRoot(rewriter, root, !divides, rewriter.opset(), &found.epsilon);
    const ir::Operation* sub = ProducerOf(difference, "sub");
    if (variance == nullptr || sub == nullptr) continue;
    const ir::Value* square = variance->Input("x");
    if (!IsSquareOf(square->producer, difference) || rewriter.UseCount(square) != 1) continue;
    const ir::Operation* mean = ProducerOf(sub->Input("y"), "reduce_mean");
    if (mean == nullptr || mean->Input("x") != sub->Input("x")) continue;
    found.x = sub->Input("x");
    found.axes = AxesOf(*mean, rewriter.opset());
    if (found.axes.empty() || AxesOf(*variance, rewriter.opset()) != found.axes) continue;
    // The axes must be the last dimensions, to which gamma and beta apply.
    const int rank = found.x->type.rank();
    const int first = rank - static_cast<int>(found.axes.size());
    if (found.axes.front() != first || found.axes.back() != rank - 1) continue;
    // The difference must have no uses beyond this one and the square: it is removed.
    const size_t uses_in_square = square->producer->type() == "mul" ? 2 : 1;
    if (rewriter.UseCount(difference) != 1 + uses_in_square) continue;
    return found;
  }
  return std::nullopt;
}

// The constant as a tensor of the normalized shape; nullopt when it has a different shape.
std::optional<ir::Literal> Scale(const ir::Value* constant, const Moments& moments) {
  ir::Shape wanted;
  for (const int64_t axis : moments.axes) wanted.push_back(moments.x->type.shape()[axis]);
  const ir::Shape& shape = constant->type.shape();
  const size_t extra = shape.size() < wanted.size() ? 0 : shape.size() - wanted.size();
  const bool tail =
      shape.size() >= wanted.size() &&
      std::equal(wanted.begin(), wanted.end(), shape.begin() + extra) &&
      std::all_of(shape.begin(), shape.begin() + extra, [](int64_t size) { return size == 1; });
  if (!tail || shape.size() > static_cast<size_t>(moments.x->type.rank())) return std::nullopt;
  auto literal = ir::Literal::FromBytes(ir::Type::Tensor(constant->type.dtype(), wanted),
                                        constant->literal->bytes());
  return literal.ok() ? std::optional(std::move(literal).value()) : std::nullopt;
}

// The operation of `type` that alone uses `value`, with its constant in the normalized shape.
ir::Operation* NextWithScale(const Rewriter& rewriter, const ir::Operation& op,
                             std::string_view type, const Moments& moments,
                             std::optional<ir::Literal>* scale) {
  ir::Operation* next = rewriter.OnlyUser(op.output());
  if (next == nullptr || next->type() != type || next->parent() != op.parent()) return nullptr;
  const auto operands = MatchWithConst(*next);
  if (operands) *scale = Scale(operands->constant, moments);
  return scale->has_value() ? next : nullptr;
}

}  // namespace

Result<bool> FuseLayerNorm(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* op : rewriter.operations()) {
    if (rewriter.IsDead(*op) || (op->type() != "real_div" && op->type() != "mul")) continue;
    const auto moments = MatchNormalized(rewriter, *op);
    if (!moments) continue;
    std::optional<ir::Literal> gamma;
    std::optional<ir::Literal> beta;
    ir::Operation* last = op;
    if (ir::Operation* next = NextWithScale(rewriter, *last, "mul", *moments, &gamma)) last = next;
    if (ir::Operation* next = NextWithScale(rewriter, *last, "add", *moments, &beta)) last = next;
    std::vector<ir::ArgInit> args = {
        {"x", moments->x},
        {"axes", ir::Ints(moments->axes)},
        {"epsilon",
         ir::Literal::Float(moments->x->type.dtype(), static_cast<float>(moments->epsilon))}};
    if (gamma) args.push_back({"gamma", *gamma});
    if (beta) args.push_back({"beta", *beta});
    ir::Value* y = rewriter.builder().Op("layer_norm", std::move(args), last->name());
    ANEMONE_TRY(rewriter.Commit(*last));
    rewriter.Replace(last->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
