// A transpose that swaps the last two dimensions of a factor of matmul is a flag of the matmul.
//
//   before                                         after
//     t = transpose(x = k, perm = [0, 2, 1]);        y = matmul(x = q, y = k, transpose_x = false,
//     y = matmul(x = q, y = t);                                 transpose_y = true);
//   } -> (y);                                      } -> (y);
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// The value of which `value` is the transpose in its last two dimensions; null when it is none.
ir::Value* SwappedSource(const Rewriter& rewriter, const ir::Value* value) {
  const ir::Operation* op = OwnedProducer(rewriter, value, "transpose");
  if (op == nullptr) return nullptr;
  const std::vector<int64_t> order = OrderOf(*op);
  if (order.size() < 2) return nullptr;
  const auto rank = static_cast<int64_t>(order.size());
  for (int64_t d = 0; d < rank; ++d) {
    if (order[d] != (d < rank - 2 ? d : 2 * rank - 3 - d)) return nullptr;
  }
  return op->Input("x");
}

}  // namespace

Result<bool> FuseTransposeMatmul(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* matmul : rewriter.operations()) {
    if (rewriter.IsDead(*matmul) || matmul->type() != "matmul") continue;
    const ir::OpArgs args(*matmul, function.opset);
    const auto transpose_x = args.Bool("transpose_x");
    const auto transpose_y = args.Bool("transpose_y");
    if (!transpose_x.ok() || !transpose_y.ok()) continue;
    ir::Value* x = SwappedSource(rewriter, matmul->Input("x"));
    ir::Value* y = SwappedSource(rewriter, matmul->Input("y"));
    if (x == nullptr && y == nullptr) continue;
    ir::Value* product =
        rewriter.builder().Op("matmul",
                              {{"x", x != nullptr ? x : matmul->Input("x")},
                               {"y", y != nullptr ? y : matmul->Input("y")},
                               {"transpose_x", ir::Literal::Bool(*transpose_x != (x != nullptr))},
                               {"transpose_y", ir::Literal::Bool(*transpose_y != (y != nullptr))}},
                              matmul->name());
    ANEMONE_TRY(rewriter.Commit(*matmul));
    rewriter.Replace(matmul->output(), product);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
