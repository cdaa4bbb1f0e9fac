#include "passes/linear_weights.h"

#include <algorithm>

namespace anemone::passes {

std::optional<LinearWeights> LinearWeightsOf(const Rewriter& rewriter,
                                             const ir::Operation& linear) {
  const ir::Value* weight = linear.Input("weight");
  const ir::Value* bias = linear.Input("bias");
  // What others use as well would be stored twice.
  if (weight == nullptr || !weight->is_const() || rewriter.UseCount(weight) != 1)
    return std::nullopt;
  if (weight->type.rank() != 2 || !IsFloat(weight->type.dtype())) return std::nullopt;
  LinearWeights weights;
  weights.outputs = weight->type.shape()[0];
  weights.inputs = weight->type.shape()[1];
  weights.bias.assign(static_cast<size_t>(weights.outputs), 0.0);
  if (bias != nullptr) {
    auto given = DoublesOf(bias);
    if (!given || given->size() != weights.bias.size()) return std::nullopt;
    weights.bias = std::move(*given);
  }
  auto values = DoublesOf(weight);
  if (!values) return std::nullopt;
  weights.weight = std::move(*values);
  return weights;
}

Status ReplaceByLinear(Rewriter& rewriter, ir::Operation& last, ir::Value* x,
                       const LinearWeights& weights, const std::string& name) {
  const DType dtype = x->type.dtype();
  if (!FitDType(weights.weight, dtype) || !FitDType(weights.bias, dtype)) return {};
  std::vector<ir::ArgInit> args = {
      {"x", x},
      {"weight", FloatsFromDoubles(dtype, weights.weight, {weights.outputs, weights.inputs})}};
  if (std::ranges::any_of(weights.bias, [](double value) { return value != 0; }))
    args.push_back({"bias", FloatsFromDoubles(dtype, weights.bias, {weights.outputs})});
  ir::Value* y = rewriter.builder().Op("linear", std::move(args), name);
  ANEMONE_TRY(rewriter.Commit(last));
  rewriter.Replace(last.output(), y);
  return {};
}

}  // namespace anemone::passes
