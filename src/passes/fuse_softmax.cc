// Recognizes a written-out softmax: exp(x - max(x)) / sum(exp(x - max(x))), with or without the
// maximum, over one axis.
//
//   before                                                   after
//     m = reduce_max(x = x, axes = [1], keep_dims = true);     y = softmax(x = x, axis = 1);
//     d = sub(x = x, y = m);                                 } -> (y);
//     e = exp(x = d);
//     s = reduce_sum(x = e, axes = [1], keep_dims = true);
//     y = real_div(x = e, y = s);
//   } -> (y);
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// The single axis, made non-negative, of a reduction that keeps dimensions.
std::optional<int64_t> AxisOf(const ir::Operation& reduction, ir::Opset opset) {
  const ir::OpArgs args(reduction, opset);
  const auto axes = args.Ints("axes");
  const auto keep = args.Bool("keep_dims");
  const ir::Type& type = reduction.Input("x")->type;
  if (!axes.ok() || axes->size() != 1 || !keep.ok() || !*keep || !type.has_rank())
    return std::nullopt;
  return (*axes)[0] < 0 ? (*axes)[0] + type.rank() : (*axes)[0];
}

}  // namespace

Result<bool> FuseSoftmax(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* quotient : rewriter.operations()) {
    if (rewriter.IsDead(*quotient) || quotient->type() != "real_div") continue;
    const ir::Operation* exp = ProducerOf(quotient->Input("x"), "exp");
    const ir::Operation* sum = OwnedProducer(rewriter, quotient->Input("y"), "reduce_sum");
    if (exp == nullptr || sum == nullptr || sum->Input("x") != exp->output()) continue;
    if (rewriter.UseCount(exp->output()) != 2) continue;
    const auto axis = AxisOf(*sum, function.opset);
    if (!axis) continue;
    ir::Value* x = exp->Input("x");
    if (const ir::Operation* shifted = OwnedProducer(rewriter, x, "sub")) {
      const ir::Operation* max = ProducerOf(shifted->Input("y"), "reduce_max");
      if (max != nullptr && max->Input("x") == shifted->Input("x") &&
          AxisOf(*max, function.opset) == axis) {
        x = shifted->Input("x");
      }
    }
    const ir::Literal axis_value = ir::Literal::Int32(static_cast<int32_t>(*axis));
    ir::Value* y =
        rewriter.builder().Op("softmax", {{"x", x}, {"axis", axis_value}}, quotient->name());
    ANEMONE_TRY(rewriter.Commit(*quotient));
    rewriter.Replace(quotient->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
