// Folds the multiplication by a constant for each output feature into the linear before it.
//
//   before                                          after
//     a = linear(x = x, weight = w, bias = b);        y = linear(x = x, weight = w', bias = b');
//     y = mul(x = a, y = [2.0, 3.0]);               } -> (y);
//   } -> (y);
#include "passes/linear_weights.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// What the features of `linear` are multiplied by in `op`; nullopt when it does not fit.
std::optional<std::vector<double>> FeatureScale(const ir::Operation& op, const WithConst& operands,
                                                int64_t features) {
  const ir::Type& type = operands.value->type;
  if (!type.has_rank() || type.rank() == 0 || !(op.output()->type == type)) return std::nullopt;
  auto scale = PerChannel(operands.constant, type.rank(), type.rank() - 1, features);
  if (!scale || op.type() == "mul") return scale;
  if (operands.constant_first) return std::nullopt;
  for (double& value : *scale) {
    if (value == 0) return std::nullopt;
    value = 1 / value;
  }
  return scale;
}

}  // namespace

Result<bool> FuseLinearScale(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  for (ir::Operation* op : rewriter.operations()) {
    if (rewriter.IsDead(*op) || (op->type() != "mul" && op->type() != "real_div")) continue;
    const auto operands = MatchWithConst(*op);
    const ir::Operation* linear =
        operands ? OwnedProducer(rewriter, operands->value, "linear") : nullptr;
    if (linear == nullptr) continue;
    auto weights = LinearWeightsOf(rewriter, *linear);
    const auto scale = weights ? FeatureScale(*op, *operands, weights->outputs) : std::nullopt;
    if (!scale) continue;
    ANEMONE_TRY(context.CheckCancelled());
    for (int64_t i = 0; i < weights->outputs; ++i) {
      weights->bias[i] *= (*scale)[i];
      for (int64_t j = 0; j < weights->inputs; ++j)
        weights->weight[i * weights->inputs + j] *= (*scale)[i];
    }
    ANEMONE_TRY(ReplaceByLinear(rewriter, *op, linear->Input("x"), *weights, linear->name()));
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
