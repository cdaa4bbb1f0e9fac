// Merges a transpose of a transpose into one, or into nothing when the two cancel.
//
//   before                                       after
//     a = transpose(x = x, perm = [0, 2, 1]);      y = transpose(x = x, perm = [1, 0, 2]);
//     y = transpose(x = a, perm = [2, 0, 1]);    } -> (y);
//   } -> (y);
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
Result<bool> MergeTransposes(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* second : rewriter.operations()) {
    if (rewriter.IsDead(*second) || second->type() != "transpose") continue;
    const ir::Operation* first = ProducerOf(second->Input("x"), "transpose");
    if (first == nullptr) continue;
    const std::vector<int64_t> inner = OrderOf(*first);
    const std::vector<int64_t> outer = OrderOf(*second);
    if (inner.empty() || inner.size() != outer.size()) continue;
    std::vector<int64_t> both(outer.size());
    bool identity = true;
    for (size_t i = 0; i < outer.size(); ++i) {
      both[i] = inner[outer[i]];
      identity &= both[i] == static_cast<int64_t>(i);
    }
    ir::Value* x = first->Input("x");
    if (identity && rewriter.CanReplace(second->output(), x)) {
      rewriter.Replace(second->output(), x);
      continue;
    }
    if (identity) continue;
    ir::Value* y =
        rewriter.builder().Op("transpose", {{"x", x}, {"perm", ir::Ints(both)}}, second->name());
    ANEMONE_TRY(rewriter.Commit(*second));
    rewriter.Replace(second->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
