// Merges a chain of operations that only change the shape (reshape, expand_dims, squeeze,
// flatten2d) into one reshape. The last shape must be static, and the inner result must have no
// other use (otherwise nothing would be saved).
//
//   before                                           after
//     a = reshape(x = x, shape = [4, 6]);              y = reshape(x = x, shape = [2, 2, 6]);
//     y = reshape(x = a, shape = [2, 2, 6]);         } -> (y);
//   } -> (y);
#include <algorithm>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

bool OnlyReshapes(const ir::Operation& op) {
  return op.type() == "reshape" || op.type() == "expand_dims" || op.type() == "squeeze" ||
         op.type() == "flatten2d";
}

}  // namespace

Result<bool> MergeReshapes(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* last : rewriter.operations()) {
    if (rewriter.IsDead(*last) || !OnlyReshapes(*last) || last->outputs().size() != 1) continue;
    const ir::Value* middle = last->Input("x");
    if (middle == nullptr || middle->producer == nullptr || !OnlyReshapes(*middle->producer))
      continue;
    if (OwnedProducer(rewriter, middle, middle->producer->type()) == nullptr) continue;
    ir::Value* x = middle->producer->Input("x");
    const ir::Type& type = last->output()->type;
    // A size of 0 in `shape` means "as in x", so an empty tensor keeps its chain. Core ML's tensors
    // have at most rank 5.
    if (!type.is_static() || type.rank() == 0 || type.rank() > 5 || x->type.dtype() != type.dtype())
      continue;
    if (std::ranges::find(type.shape(), 0) != type.shape().end()) continue;
    if (x->type == type && rewriter.CanReplace(last->output(), x)) {
      rewriter.Replace(last->output(), x);
      continue;
    }
    ir::Value* y = rewriter.builder().Op("reshape", {{"x", x}, {"shape", ir::Ints(type.shape())}},
                                         last->name());
    ANEMONE_TRY(rewriter.Commit(*last));
    rewriter.Replace(last->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
