// Recognizes a channel shuffle behind a concat: the parts, one for each of the n tensors, are
// reshaped, transposed and reshaped so that their elements alternate.
//
//   before                                                  after
//     a = concat(values = (p, q), axis = 1);                  y = concat(values = (p, q), axis = 1,
//     b = reshape(x = a, shape = [1, 2, 3, 4, 4]);                       interleave = true);
//     c = transpose(x = b, perm = [0, 2, 1, 3, 4]);         } -> (y);
//     y = reshape(x = c, shape = [1, 6, 4, 4]);
//   } -> (y);
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// The concat of equal tensors whose parts `last` makes alternate; null when it does something else.
const ir::Operation* ShuffledConcat(const Rewriter& rewriter, const ir::Operation& last) {
  const ir::Operation* turn = OwnedProducer(rewriter, last.Input("x"), "transpose");
  const ir::Operation* first =
      turn == nullptr ? nullptr : OwnedProducer(rewriter, turn->Input("x"), "reshape");
  const ir::Operation* concat =
      first == nullptr ? nullptr : OwnedProducer(rewriter, first->Input("x"), "concat");
  if (concat == nullptr) return nullptr;
  const ir::OpArgs args(*concat, rewriter.opset());
  const auto axis = args.Int("axis");
  const auto interleave = args.Bool("interleave");
  const auto& values = concat->Inputs("values");
  const ir::Type& joined = concat->output()->type;
  if (!axis.ok() || !interleave.ok() || *interleave || !joined.is_static()) return nullptr;
  for (const ir::Value* value : values) {
    if (!(value->type == values[0]->type)) return nullptr;
  }
  // [..., n * c, ...] as [..., n, c, ...], which the transpose makes [..., c, n, ...].
  const auto at = static_cast<size_t>(*axis < 0 ? *axis + joined.rank() : *axis);
  ir::Shape split = joined.shape();
  const auto parts = static_cast<int64_t>(values.size());
  split[at] /= parts;
  split.insert(split.begin() + static_cast<std::ptrdiff_t>(at), parts);
  if (first->output()->type.shape() != split || !(last.output()->type == joined)) return nullptr;
  const std::vector<int64_t> order = OrderOf(*turn);
  if (order.size() != split.size()) return nullptr;
  for (size_t d = 0; d < split.size(); ++d) {
    const size_t wanted = d == at ? at + 1 : d == at + 1 ? at : d;
    if (order[d] != static_cast<int64_t>(wanted)) return nullptr;
  }
  return concat;
}

}  // namespace

Result<bool> FuseConcatInterleave(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* last : rewriter.operations()) {
    if (rewriter.IsDead(*last) || last->type() != "reshape") continue;
    const ir::Operation* concat = ShuffledConcat(rewriter, *last);
    if (concat == nullptr) continue;
    const auto axis = ir::OpArgs(*concat, function.opset).Int("axis");
    ir::Value* y = rewriter.builder().Op("concat",
                                         {{"values", concat->Inputs("values")},
                                          {"axis", ir::Literal::Int32(static_cast<int32_t>(*axis))},
                                          {"interleave", ir::Literal::Bool(true)}},
                                         concat->name());
    ANEMONE_TRY(rewriter.Commit(*last));
    rewriter.Replace(last->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
