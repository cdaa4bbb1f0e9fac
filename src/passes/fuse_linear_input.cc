// Folds the multiplication by, or addition of, a constant for each input feature into the linear
// behind it: w (x * s + t) + b is (w * s) x + (w t + b).
//
//   before                                          after
//     a = mul(x = x, y = [2.0, 3.0]);                 y = linear(x = x, weight = w', bias = b');
//     c = add(x = a, y = [1.0, 1.0]);               } -> (y);
//     y = linear(x = c, weight = w, bias = b);
//   } -> (y);
#include "passes/linear_weights.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// x * scale + shift for each feature.
struct FeatureAffine {
  ir::Value* x = nullptr;
  std::vector<double> scale;
  std::vector<double> shift;
};

// The arithmetic with a constant for each feature that makes `value` for its only user.
std::optional<FeatureAffine> MatchFeatureAffine(const Rewriter& rewriter, const ir::Value* value,
                                                int64_t features) {
  for (const std::string_view type : {"mul", "add", "sub", "real_div"}) {
    const ir::Operation* op = OwnedProducer(rewriter, value, type);
    const auto operands = op == nullptr ? std::nullopt : MatchWithConst(*op);
    if (!operands || !(operands->value->type == value->type) || !value->type.has_rank()) continue;
    const int rank = value->type.rank();
    auto numbers = PerChannel(operands->constant, rank, rank - 1, features);
    if (!numbers || ((type == "sub" || type == "real_div") && operands->constant_first))
      return std::nullopt;
    FeatureAffine found{operands->value, std::vector<double>(features, 1.0),
                        std::vector<double>(features, 0.0)};
    for (int64_t i = 0; i < features; ++i) {
      const double number = (*numbers)[i];
      if (type == "real_div" && number == 0) return std::nullopt;
      if (type == "mul") found.scale[i] = number;
      if (type == "real_div") found.scale[i] = 1 / number;
      if (type == "add") found.shift[i] = number;
      if (type == "sub") found.shift[i] = -number;
    }
    return found;
  }
  return std::nullopt;
}

}  // namespace

Result<bool> FuseLinearInput(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  for (ir::Operation* linear : rewriter.operations()) {
    if (rewriter.IsDead(*linear) || linear->type() != "linear") continue;
    const ir::Value* weight = linear->Input("weight");
    const ir::Value* x = linear->Input("x");
    if (weight == nullptr || weight->type.rank() != 2 || !x->type.has_rank() || x->type.rank() == 0)
      continue;
    const auto affine = MatchFeatureAffine(rewriter, x, weight->type.shape()[1]);
    auto weights = affine ? LinearWeightsOf(rewriter, *linear) : std::nullopt;
    if (!weights) continue;
    ANEMONE_TRY(context.CheckCancelled());
    for (int64_t i = 0; i < weights->outputs; ++i) {
      double* row = &weights->weight[i * weights->inputs];
      for (int64_t j = 0; j < weights->inputs; ++j) {
        weights->bias[i] += row[j] * affine->shift[j];
        row[j] *= affine->scale[j];
      }
    }
    ANEMONE_TRY(ReplaceByLinear(rewriter, *linear, affine->x, *weights, linear->name()));
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
