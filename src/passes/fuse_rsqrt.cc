// Recognizes the reciprocal square root, which has an epsilon of its own: 1 / sqrt(x), and the
// small constant that RMS norms add to x.
//
//   before                                    after
//     a = add(x = x, y = 1e-6);                 y = rsqrt(x = x, epsilon = 1e-6);
//     b = sqrt(x = a);                        } -> (y);
//     y = real_div(x = 1.0, y = b);
//   } -> (y);
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// The square root whose reciprocal `op` is; null when it is none.
const ir::Operation* ReciprocalRoot(const Rewriter& rewriter, const ir::Operation& op) {
  if (op.type() != "real_div") return nullptr;
  const ir::Value* one = op.Input("x");
  if (UniformValue(one) != 1.0 || one->type.element_count() != 1) return nullptr;
  const ir::Operation* root = OwnedProducer(rewriter, op.Input("y"), "sqrt");
  return root != nullptr && root->output()->type == op.output()->type ? root : nullptr;
}

// A positive number that is added to `value`; then `value` becomes the other operand.
double TakeEpsilon(const Rewriter& rewriter, ir::Value** value) {
  const ir::Operation* sum = OwnedProducer(rewriter, *value, "add");
  const auto operands = sum == nullptr ? std::nullopt : MatchWithConst(*sum);
  if (!operands || operands->constant->type.element_count() != 1) return 0;
  const auto number = UniformValue(operands->constant);
  if (!number || !(*number > 0) || !(operands->value->type == (*value)->type)) return 0;
  *value = operands->value;
  return *number;
}

}  // namespace

Result<bool> FuseRsqrt(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* op : rewriter.operations()) {
    if (rewriter.IsDead(*op)) continue;
    const ir::Operation* root = ReciprocalRoot(rewriter, *op);
    double epsilon = 0;
    if (root == nullptr) {
      if (op->type() != "rsqrt") continue;
      const auto own = ir::OpArgs(*op, function.opset).Float("epsilon");
      if (!own.ok()) continue;
      epsilon = *own;
    }
    ir::Value* x = (root != nullptr ? root : op)->Input("x");
    const ir::Value* before = x;
    epsilon += TakeEpsilon(rewriter, &x);
    if (root == nullptr && x == before) continue;
    ir::Value* y = rewriter.builder().Op(
        "rsqrt",
        {{"x", x}, {"epsilon", ir::Literal::Float(x->type.dtype(), static_cast<float>(epsilon))}},
        op->name());
    ANEMONE_TRY(rewriter.Commit(*op));
    rewriter.Replace(op->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
