// Removes operations that return their input unchanged: identity, cast to the dtype it has,
// reshape, slice, tile, expand_dims or squeeze to the shape it has, transpose that keeps the order,
// padding or cropping by nothing, x + 0, x - 0, x * 1, x / 1, x ^ 1, concat of one tensor, relu of
// a relu.
//
//   before                                     after
//     a = mul(x = x, y = 1.0);                   y = tanh(x = x);
//     b = transpose(x = a, perm = [0, 1]);     } -> (y);
//     y = tanh(x = b);
//   } -> (y);
#include <algorithm>
#include <array>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

bool SameStaticType(const ir::Operation& op, const ir::Value* x) {
  return x->type.is_tensor() && x->type.is_static() && op.output()->type == x->type;
}

bool AllEqual(const ir::Operation& op, std::string_view param, int64_t wanted) {
  const ir::Value* value = op.Input(param);
  if (value == nullptr || !value->is_const()) return false;
  const auto values = value->literal->AsInts();
  return values && std::ranges::all_of(*values, [&](int64_t v) { return v == wanted; });
}

// x op constant, where the constant does nothing.
ir::Value* NeutralBinary(const ir::Operation& op, double neutral, bool commutes) {
  const auto operands = MatchWithConst(op);
  if (!operands || (operands->constant_first && !commutes)) return nullptr;
  const auto uniform = UniformValue(operands->constant);
  if (!uniform || *uniform != neutral) return nullptr;
  // The constant may not make the result larger.
  const bool scalar = operands->constant->type.rank() == 0;
  if (!(op.output()->type == operands->value->type)) return nullptr;
  return scalar || operands->value->type.is_static() ? operands->value : nullptr;
}

bool IsIdentityOrder(const ir::Operation& op) {
  const ir::Value* perm = op.Input("perm");
  if (perm == nullptr || !perm->is_const()) return false;
  const std::vector<int64_t> order = OrderOf(op);
  return std::ssize(order) == perm->literal->element_count() && std::ranges::is_sorted(order);
}

// A slice of the whole: every step forward, and nothing left out.
bool IsWholeSlice(const ir::Operation& op, ir::Opset opset) {
  const ir::OpArgs args(op, opset);
  if (const ir::Literal* stride = args.ValueOf("stride")) {
    const auto steps = stride->AsInts();
    if (!steps || std::ranges::any_of(*steps, [](int64_t step) { return step < 0; })) return false;
  } else if (args.Has("stride")) {
    return false;
  }
  return true;
}

// The value that `op` returns unchanged, or null.
ir::Value* PassedThrough(const ir::Operation& op, ir::Opset opset) {
  const std::string& type = op.type();
  if (type == "add") return NeutralBinary(op, 0, true);
  if (type == "sub") return NeutralBinary(op, 0, false);
  if (type == "mul") return NeutralBinary(op, 1, true);
  if (type == "real_div" || type == "pow") return NeutralBinary(op, 1, false);
  if (type == "concat") {
    const auto& values = op.Inputs("values");
    return values.size() == 1 && values[0]->type == op.output()->type ? values[0] : nullptr;
  }
  ir::Value* x = op.Input("x");
  if (x == nullptr || op.outputs().size() != 1) return nullptr;
  if (type == "identity") return x;
  if (type == "cast") return op.output()->type == x->type ? x : nullptr;
  if (type == "relu") {
    return ProducerOf(x, "relu") != nullptr || ProducerOf(x, "relu6") != nullptr ? x : nullptr;
  }
  if (type == "transpose") return IsIdentityOrder(op) ? x : nullptr;
  if (type == "pad") return op.output()->type == x->type && AllEqual(op, "pad", 0) ? x : nullptr;
  if (type == "tile") return op.output()->type == x->type && AllEqual(op, "reps", 1) ? x : nullptr;
  if (type == "slice_by_index")
    return SameStaticType(op, x) && IsWholeSlice(op, opset) ? x : nullptr;
  constexpr std::array<std::string_view, 6> kByShape = {
      "reshape", "slice_by_size", "expand_dims", "squeeze", "crop", "upsample_nearest_neighbor"};
  if (std::ranges::find(kByShape, type) != kByShape.end())
    return SameStaticType(op, x) ? x : nullptr;
  if (type == "linear_activation") {
    const ir::OpArgs args(op, opset);
    const auto alpha = args.Float("alpha");
    const auto beta = args.Float("beta");
    return alpha.ok() && beta.ok() && *alpha == 1 && *beta == 0 ? x : nullptr;
  }
  return nullptr;
}

}  // namespace

Result<bool> NoopElimination(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* operation : rewriter.operations()) {
    if (rewriter.IsDead(*operation) || operation->is_const() || operation->def() == nullptr)
      continue;
    if (operation->outputs().size() != 1 || rewriter.UseCount(operation->output()) == 0) continue;
    ir::Value* x = PassedThrough(*operation, function.opset);
    if (x != nullptr && rewriter.CanReplace(operation->output(), x))
      rewriter.Replace(operation->output(), x);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
