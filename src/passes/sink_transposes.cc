// Moves a transpose behind a reshape that only adds or removes dimensions of size 1, where either
// then meets its like: the reshape one before the transpose, or the transpose one behind the
// reshape. They merge there.
//
//   before                                            after
//     a = reshape(x = x, shape = [4, 5, 6]);            a = reshape(x = x, shape = [1, 4, 5, 6]);
//     b = transpose(x = a, perm = [1, 0, 2]);           y = transpose(x = a, perm = [0, 2, 1, 3]);
//     y = reshape(x = b, shape = [1, 5, 4, 6]);       } -> (y);
//   } -> (y);
#include <algorithm>
#include <numeric>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

bool ChangesOnlyShape(const ir::Operation& op) {
  return op.type() == "reshape" || op.type() == "expand_dims" || op.type() == "squeeze";
}

struct Swapped {
  ir::Shape shape;            // of the reshape, which comes first now
  std::vector<int64_t> perm;  // of the transpose behind it
};

// The two in the other order; nullopt when the reshape does more than add or remove ones.
std::optional<Swapped> Swap(const ir::Shape& source, const std::vector<int64_t>& perm,
                            const ir::Shape& result) {
  // For each dimension of the result that of the source, or for a 1 that of its left neighbor.
  std::vector<int64_t> origin(result.size(), -1);
  size_t next = 0;
  for (size_t d = 0; d < result.size(); ++d) {
    origin[d] = d == 0 ? -1 : origin[d - 1];
    if (result[d] == 1) continue;
    while (next < perm.size() && source[perm[next]] == 1) ++next;
    if (next == perm.size() || source[perm[next]] != result[d]) return std::nullopt;
    origin[d] = perm[next++];
  }
  while (next < perm.size() && source[perm[next]] == 1) ++next;
  if (next != perm.size()) return std::nullopt;
  std::vector<int64_t> order(result.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](int64_t d) { return origin[d]; });
  Swapped swapped;
  swapped.perm.resize(result.size());
  for (size_t i = 0; i < order.size(); ++i) {
    swapped.shape.push_back(result[order[i]]);
    swapped.perm[order[i]] = static_cast<int64_t>(i);
  }
  return swapped;
}

bool MeetsItsLike(const Rewriter& rewriter, const ir::Operation& transpose,
                  const ir::Operation& reshape) {
  const ir::Value* x = transpose.Input("x");
  if (x->producer != nullptr && ChangesOnlyShape(*x->producer) &&
      OwnedProducer(rewriter, x, x->producer->type()) != nullptr) {
    return true;
  }
  const ir::Operation* user = rewriter.OnlyUser(reshape.output());
  return user != nullptr && user->type() == "transpose";
}

}  // namespace

Result<bool> SinkTransposes(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* reshape : rewriter.operations()) {
    if (rewriter.IsDead(*reshape) || !ChangesOnlyShape(*reshape)) continue;
    const ir::Operation* transpose = OwnedProducer(rewriter, reshape->Input("x"), "transpose");
    if (transpose == nullptr || !MeetsItsLike(rewriter, *transpose, *reshape)) continue;
    ir::Value* x = transpose->Input("x");
    const ir::Type& result = reshape->output()->type;
    const std::vector<int64_t> perm = OrderOf(*transpose);
    if (!x->type.is_static() || !result.is_static() || perm.empty() || result.rank() == 0 ||
        result.rank() > 5 || std::ranges::find(result.shape(), 0) != result.shape().end()) {
      continue;
    }
    const auto swapped = Swap(x->type.shape(), perm, result.shape());
    if (!swapped) continue;
    ir::Value* shaped = rewriter.builder().Op(
        "reshape", {{"x", x}, {"shape", ir::Ints(swapped->shape)}}, transpose->name());
    ir::Value* y = rewriter.builder().Op(
        "transpose", {{"x", shaped}, {"perm", ir::Ints(swapped->perm)}}, reshape->name());
    ANEMONE_TRY(rewriter.Commit(*reshape));
    rewriter.Replace(reshape->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
