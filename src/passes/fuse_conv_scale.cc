// Folds the multiplication by, or division by, a constant for each channel into the weights of the
// conv or conv_transpose before it.
//
//   before                                        after
//     a = conv(x = x, weight = w, bias = b);        y = conv(x = x, weight = 2 w, bias = 2 b);
//     y = mul(x = a, y = 2.0);                    } -> (y);
//   } -> (y);
#include <algorithm>
#include <cmath>

#include "passes/conv_affine.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {

Result<bool> FuseConvScale(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  for (ir::Operation* product : rewriter.operations()) {
    const bool divides = product->type() == "real_div";
    if (rewriter.IsDead(*product) || (product->type() != "mul" && !divides)) continue;
    const auto operands = MatchWithConst(*product);
    if (!operands || (divides && operands->constant_first)) continue;
    ir::Operation* conv = OwnedConv(rewriter, operands->value);
    if (conv == nullptr || !operands->value->type.has_rank()) continue;
    ANEMONE_TRY(context.CheckCancelled());
    const auto [channels, axis] = ChannelsOf(*conv, function.opset);
    auto scale = PerChannel(operands->constant, operands->value->type.rank(), axis, channels);
    if (!scale) continue;
    if (divides) {
      for (double& value : *scale) value = 1 / value;
    }
    if (!std::ranges::all_of(*scale, [](double value) { return std::isfinite(value); })) continue;
    ANEMONE_TRY(
        FuseIntoConv(rewriter, *conv, *product, *scale, std::vector<double>(channels, 0)).status());
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
