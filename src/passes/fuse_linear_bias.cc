// Folds the addition or subtraction of a constant for each output feature into the bias of the
// linear before it.
//
//   before                                     after
//     a = linear(x = x, weight = w);             y = linear(x = x, weight = w, bias = [1.0, 2.0]);
//     y = add(x = a, y = [1.0, 2.0]);          } -> (y);
//   } -> (y);
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {

Result<bool> FuseLinearBias(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* sum : rewriter.operations()) {
    const bool minus = sum->type() == "sub";
    if (rewriter.IsDead(*sum) || (sum->type() != "add" && !minus)) continue;
    const auto operands = MatchWithConst(*sum);
    if (!operands || (minus && operands->constant_first)) continue;
    ir::Operation* linear = OwnedProducer(rewriter, operands->value, "linear");
    const ir::Type& type = operands->value->type;
    if (linear == nullptr || !type.has_rank() || type.rank() == 0) continue;
    const ir::Value* weight = linear->Input("weight");
    if (weight == nullptr || weight->type.rank() != 2) continue;
    const int64_t features = weight->type.shape()[0];
    auto bias = PerChannel(operands->constant, type.rank(), type.rank() - 1, features);
    if (!bias) continue;
    const ir::Value* old = linear->Input("bias");
    const auto old_bias = old == nullptr ? std::vector<double>(features, 0) : DoublesOf(old);
    if (!old_bias) continue;
    for (int64_t i = 0; i < features; ++i)
      (*bias)[i] = (*old_bias)[i] + (minus ? -(*bias)[i] : (*bias)[i]);
    // A compressed weight keeps its form; the bias takes the dtype of the result.
    if (!FitDType(*bias, type.dtype())) continue;
    ir::Value* fused =
        rewriter.builder().Op("linear",
                              {{"x", linear->Input("x")},
                               {"weight", linear->Input("weight")},
                               {"bias", FloatsFromDoubles(type.dtype(), *bias, {features})}},
                              linear->name());
    ANEMONE_TRY(rewriter.Commit(*sum));
    rewriter.Replace(sum->output(), fused);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
