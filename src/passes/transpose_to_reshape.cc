// A transpose that only moves dimensions of size 1 moves no element: a reshape, which merges with
// its neighbors.
//
//   before                                          after
//     y = transpose(x = x, perm = [0, 2, 1]);         y = reshape(x = x, shape = [4, 1, 5]);
//       // x: [4, 5, 1]                             } -> (y);
//   } -> (y);
#include <algorithm>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

bool MovesNothing(const ir::Operation& transpose) {
  const ir::Value* x = transpose.Input("x");
  if (!x->type.is_static() || x->type.rank() > 5) return false;
  if (std::ranges::find(x->type.shape(), 0) != x->type.shape().end()) return false;
  const std::vector<int64_t> order = OrderOf(transpose);
  if (order.empty()) return false;
  int64_t last = -1;
  for (const int64_t axis : order) {
    if (x->type.shape()[axis] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

}  // namespace

Result<bool> TransposeToReshape(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* op : rewriter.operations()) {
    if (rewriter.IsDead(*op) || op->type() != "transpose" || !MovesNothing(*op)) continue;
    const ir::Shape& shape = op->output()->type.shape();
    ir::Value* y = rewriter.builder().Op(
        "reshape", {{"x", op->Input("x")}, {"shape", ir::Ints(shape)}}, op->name());
    ANEMONE_TRY(rewriter.Commit(*op));
    rewriter.Replace(op->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
