// Folds the addition or subtraction of a constant for each channel into the bias of the conv or
// conv_transpose before it.
//
//   before                                        after
//     a = conv(x = x, weight = w);                  y = conv(x = x, weight = w, bias = [1.0, 2.0]);
//     y = add(x = a, y = tensor<fp32, [2, 1, 1]>  } -> (y);
//                        ([1.0, 2.0]));
//   } -> (y);
#include "passes/conv_affine.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {

Result<bool> FuseConvBias(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  for (ir::Operation* sum : rewriter.operations()) {
    if (rewriter.IsDead(*sum) || (sum->type() != "add" && sum->type() != "sub")) continue;
    const auto operands = MatchWithConst(*sum);
    if (!operands) continue;
    ir::Operation* conv = OwnedConv(rewriter, operands->value);
    if (conv == nullptr || !operands->value->type.has_rank()) continue;
    ANEMONE_TRY(context.CheckCancelled());
    const auto [channels, axis] = ChannelsOf(*conv, function.opset);
    auto shift = PerChannel(operands->constant, operands->value->type.rank(), axis, channels);
    if (!shift) continue;
    // conv + b, conv - b, b - conv.
    const bool minus = sum->type() == "sub";
    if (minus && !operands->constant_first) {
      for (double& value : *shift) value = -value;
    }
    const std::vector<double> scale(channels, minus && operands->constant_first ? -1 : 1);
    ANEMONE_TRY(FuseIntoConv(rewriter, *conv, *sum, scale, *shift).status());
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
