// x * sigmoid(x) is silu.
//
//   before                       after
//     a = sigmoid(x = x);          y = silu(x = x);
//     y = mul(x = a, y = x);     } -> (y);
//   } -> (y);
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {

Result<bool> FuseSilu(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* product : rewriter.operations()) {
    if (rewriter.IsDead(*product) || product->type() != "mul") continue;
    for (const auto& [gate, other] : {std::pair("x", "y"), std::pair("y", "x")}) {
      ir::Value* x = product->Input(other);
      const ir::Operation* sigmoid = OwnedProducer(rewriter, product->Input(gate), "sigmoid");
      if (sigmoid == nullptr || x == nullptr || sigmoid->Input("x") != x) continue;
      ir::Value* y = rewriter.builder().Op("silu", {{"x", x}}, product->name());
      ANEMONE_TRY(rewriter.Commit(*product));
      rewriter.Replace(product->output(), y);
      break;
    }
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
