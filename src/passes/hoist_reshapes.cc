// A reshape behind a transpose that stands behind a reshape goes in front of the transpose, where the two
// reshapes are one, when it only splits dimensions. Exporters write the keys of an attention so.
//
//   before                                          after
//     a = reshape(x = x, shape = [6, 5, 4]);          a = reshape(x = x, shape = [2, 3, 5, 4]);
//     b = transpose(x = a, perm = [0, 2, 1]);         y = transpose(x = a, perm = [0, 1, 3, 2]);
//     y = reshape(x = b, shape = [2, 3, 4, 5]);     } -> (y);
//   } -> (y);
#include <algorithm>
#include <optional>
#include <vector>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// The dimensions of `fine` that each dimension of `coarse` is split into; nullopt when one of `fine`
// belongs to more than one.
std::optional<std::vector<std::vector<int64_t>>> SplitInto(const ir::Shape& coarse,
                                                           const ir::Shape& fine) {
  std::vector<std::vector<int64_t>> groups;
  size_t next = 0;
  for (const int64_t size : coarse) {
    if (size < 1) return std::nullopt;
    std::vector<int64_t> group;
    int64_t product = 1;
    while (next < fine.size() && product < size) {
      if (fine[next] < 1) return std::nullopt;
      product *= fine[next];
      group.push_back(static_cast<int64_t>(next++));
    }
    if (product != size) return std::nullopt;
    groups.push_back(std::move(group));
  }
  // Ones at the end belong to the last dimension.
  for (; next < fine.size(); ++next) {
    if (fine[next] != 1 || groups.empty()) return std::nullopt;
    groups.back().push_back(static_cast<int64_t>(next));
  }
  return groups;
}

}  // namespace

Result<bool> HoistReshapes(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* op : rewriter.operations()) {
    if (rewriter.IsDead(*op) || op->type() != "reshape" || !op->output()->type.is_static())
      continue;
    const ir::Operation* transpose = OwnedProducer(rewriter, op->Input("x"), "transpose");
    if (transpose == nullptr || !transpose->output()->type.is_static()) continue;
    const ir::Operation* first = OwnedProducer(rewriter, transpose->Input("x"), "reshape");
    if (first == nullptr) continue;
    const std::vector<int64_t> order = OrderOf(*transpose);
    const ir::Shape& fine = op->output()->type.shape();
    const auto groups = SplitInto(transpose->output()->type.shape(), fine);
    if (order.empty() || !groups || groups->size() != order.size()) continue;
    // The groups in the order that they have in front of the transpose.
    ir::Shape shape;
    std::vector<int64_t> perm(fine.size());
    for (size_t axis = 0; axis < order.size(); ++axis) {
      const auto at = std::ranges::find(order, static_cast<int64_t>(axis)) - order.begin();
      for (const int64_t d : (*groups)[static_cast<size_t>(at)]) {
        perm[static_cast<size_t>(d)] = static_cast<int64_t>(shape.size());
        shape.push_back(fine[static_cast<size_t>(d)]);
      }
    }
    ir::Value* split = rewriter.builder().Op(
        "reshape", {{"x", first->Input("x")}, {"shape", ir::Ints(shape)}}, first->name());
    ir::Value* y =
        rewriter.builder().Op("transpose", {{"x", split}, {"perm", ir::Ints(perm)}}, op->name());
    ANEMONE_TRY(rewriter.Commit(*op));
    rewriter.Replace(op->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
