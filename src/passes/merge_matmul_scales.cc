// One scale for a product of matrices: exporters of attention scale query and key by the root of
// what they mean, and others the scores. The numbers go to the first factor, or to the product
// when only that is scaled.
//
//   before                                             after
//     a = mul(x = q, y = 0.5);                           a = mul(x = q, y = 0.25);
//     b = mul(x = k, y = 0.5);                           y = matmul(x = a, y = k);
//     y = matmul(x = a, y = b);                        } -> (y);
//   } -> (y);
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// `value` without the number that it is multiplied by, when only its user needs the product.
std::optional<Scaled> ScaledFactor(const Rewriter& rewriter, const ir::Value* value) {
  for (const std::string_view type : {"mul", "real_div"}) {
    const ir::Operation* op = OwnedProducer(rewriter, value, type);
    if (op != nullptr) return MatchScaled(*op);
  }
  return std::nullopt;
}

// The number by which the only user of `matmul` scales it, and that user.
ir::Operation* ScalingUser(const Rewriter& rewriter, const ir::Operation& matmul, double* scale) {
  ir::Operation* user = rewriter.OnlyUser(matmul.output());
  if (user == nullptr || user->parent() != matmul.parent()) return nullptr;
  const auto scaled = MatchScaled(*user);
  if (!scaled || rewriter.UseCount(user->output()) == 0) return nullptr;
  *scale = scaled->scale;
  return user;
}

Status Rewrite(Rewriter& rewriter, ir::Operation& matmul) {
  const auto x = ScaledFactor(rewriter, matmul.Input("x"));
  const auto y = ScaledFactor(rewriter, matmul.Input("y"));
  double after = 1;
  ir::Operation* user = ScalingUser(rewriter, matmul, &after);
  if ((x ? 1 : 0) + (y ? 1 : 0) + (user != nullptr ? 1 : 0) < 2) return {};
  const double scale = (x ? x->scale : 1) * (y ? y->scale : 1) * after;
  ir::Value* factor = x ? x->value : matmul.Input("x");
  const DType dtype = factor->type.dtype();
  if (!IsFloat(dtype)) return {};
  if (!FitDType({scale}, dtype) || !FitDType({1 / scale}, dtype)) return {};
  ir::Value* scaled = rewriter.builder().Op(
      "mul", {{"x", factor}, {"y", ir::Literal::Float(dtype, static_cast<float>(scale))}},
      matmul.name() + "_scaled");
  ANEMONE_TRY(rewriter.Commit(matmul));
  rewriter.SetInputs(matmul, "x", {scaled});
  if (y) rewriter.SetInputs(matmul, "y", {y->value});
  if (user != nullptr) rewriter.Replace(user->output(), matmul.output());
  return {};
}

}  // namespace

Result<bool> MergeMatmulScales(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* op : rewriter.operations()) {
    if (rewriter.IsDead(*op) || op->type() != "matmul") continue;
    ANEMONE_TRY(Rewrite(rewriter, *op));
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
