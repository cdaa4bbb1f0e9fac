#include "passes/raise_opset.h"

#include <algorithm>

#include "passes/rewriter.h"

namespace anemone::passes {
namespace {

// Whether no element of the indices can be negative.
bool CountsFromStart(const ir::Value& indices) {
  if (indices.is_const()) {
    const auto values = indices.literal->AsInts();
    return values && std::ranges::all_of(*values, [](int64_t at) { return at >= 0; });
  }
  const std::string& type = indices.producer == nullptr ? "" : indices.producer->type();
  return type == "topk" || type == "reduce_argmax" || type == "reduce_argmin" ||
         type == "non_zero" || type == "argsort";
}

// The size of the dimension that the indices count.
ir::Value* SizeAlong(ir::Builder& builder, ir::Value* x, int64_t axis) {
  const int64_t size = x->type.shape()[axis];
  if (size != ir::kDynamic)
    return builder.Const(ir::Literal::Int32(static_cast<int32_t>(size)), "size");
  ir::Value* shape = builder.Op("shape", {{"x", x}}, "shape");
  return builder.Op("slice_by_index",
                    {{"x", shape},
                     {"begin", ir::Ints({axis})},
                     {"end", ir::Ints({axis + 1})},
                     {"squeeze_mask", ir::Literal::Bools({true})}},
                    "size");
}

Status CountBefore(Rewriter& rewriter, ir::Operation& gather) {
  ir::Value* x = gather.Input("x");
  ir::Value* indices = gather.Input("indices");
  if (x == nullptr || indices == nullptr || CountsFromStart(*indices)) return {};
  const auto axis = ir::OpArgs(gather, rewriter.opset()).Int("axis");
  if (!axis.ok() || !x->type.has_rank() || indices->type.dtype() != DType::kInt32) return {};
  const int64_t positive = *axis < 0 ? *axis + x->type.rank() : *axis;
  ir::Builder& builder = rewriter.builder();
  ir::Value* size = SizeAlong(builder, x, positive);
  ir::Value* negative =
      builder.Op("less", {{"x", indices}, {"y", ir::Literal::Int32(0)}}, gather.name() + "_below");
  ir::Value* counted =
      builder.Op("add", {{"x", indices}, {"y", size}}, gather.name() + "_from_end");
  ir::Value* wrapped = builder.Op("select", {{"cond", negative}, {"a", counted}, {"b", indices}},
                                  gather.name() + "_indices");
  ANEMONE_TRY(rewriter.Commit(gather));
  rewriter.SetInputs(gather, "indices", {wrapped});
  return {};
}

}  // namespace

Status RaiseOpset(ir::Function& function, ir::Opset opset) {
  if (function.opset >= opset) return {};
  const bool crosses = function.opset < ir::Opset::kIOS17 && opset >= ir::Opset::kIOS17;
  function.opset = opset;
  if (!crosses) return {};
  Rewriter rewriter(function);
  for (ir::Operation* op : rewriter.operations()) {
    if (op->type() == "gather" || op->type() == "gather_along_axis")
      ANEMONE_TRY(CountBefore(rewriter, *op));
  }
  rewriter.Finish();
  return {};
}

}  // namespace anemone::passes
