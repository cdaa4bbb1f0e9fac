// A reshape behind a transpose that stands behind a reshape goes in front of the transpose, where the two
// reshapes are one, when it only splits dimensions. Exporters write the keys of an attention so.
//
//   before                                          after
//     a = reshape(x = x, shape = [6, 5, 4]);          a = reshape(x = x, shape = [2, 3, 5, 4]);
//     b = transpose(x = a, perm = [0, 2, 1]);         y = transpose(x = a, perm = [0, 1, 3, 2]);
//     y = reshape(x = b, shape = [2, 3, 4, 5]);     } -> (y);
//   } -> (y);
//
// So does one behind a layer_norm of the last dimension, which it leaves as it is: with a reshape in front,
// the two are one.
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

// The layer_norm in front of the reshape when it could as well stand behind it, else null.
const ir::Operation* NormInFrontOf(const Rewriter& rewriter, const ir::Operation& reshape) {
  const ir::Operation* norm = OwnedProducer(rewriter, reshape.Input("x"), "layer_norm");
  if (norm == nullptr || OwnedProducer(rewriter, norm->Input("x"), "reshape") == nullptr)
    return nullptr;
  // In `shape` of a reshape, 0 means "as in x".
  if (std::ranges::find(reshape.output()->type.shape(), 0) != reshape.output()->type.shape().end())
    return nullptr;
  const ir::Type& type = norm->output()->type;
  const ir::Shape& shape = reshape.output()->type.shape();
  const auto axes = ir::OpArgs(*norm, rewriter.opset()).Ints("axes");
  if (!type.is_static() || !axes.ok() || axes->size() != 1 || shape.empty()) return nullptr;
  const int64_t axis = axes->front() < 0 ? axes->front() + type.rank() : axes->front();
  return axis == type.rank() - 1 && type.shape().back() == shape.back() ? norm : nullptr;
}

// Writes the layer_norm behind one reshape, which stands for both.
Status PutBehind(Rewriter& rewriter, const ir::Operation& norm, const ir::Operation& reshape) {
  const ir::Shape& shape = reshape.output()->type.shape();
  const ir::Operation& first = *norm.Input("x")->producer;
  ir::Value* x = rewriter.builder().Op(
      "reshape", {{"x", first.Input("x")}, {"shape", ir::Ints(shape)}}, first.name());
  std::vector<ir::ArgInit> args{{"x", x}, {"axes", ir::Ints({-1})}};
  for (const char* name : {"gamma", "beta", "epsilon"}) {
    if (ir::Value* value = norm.Input(name)) args.push_back({name, value});
  }
  ir::Value* y = rewriter.builder().Op("layer_norm", std::move(args), norm.name());
  ANEMONE_TRY(rewriter.Commit(reshape));
  rewriter.Replace(reshape.output(), y);
  return {};
}

}  // namespace

Result<bool> HoistReshapes(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* op : rewriter.operations()) {
    if (rewriter.IsDead(*op) || op->type() != "reshape" || !op->output()->type.is_static())
      continue;
    if (const ir::Operation* norm = NormInFrontOf(rewriter, *op)) {
      ANEMONE_TRY(PutBehind(rewriter, *norm, *op));
      continue;
    }
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
