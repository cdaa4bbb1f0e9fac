// ONNX: reductions, ArgMax, ArgMin.
#include <numeric>

#include "onnx/converter.h"
#include "ops/infer.h"

namespace anemone::ops::reduction {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

// The axes moved from an attribute to an input in opset 13 (ReduceSum) and 18 (the others). No axes
// means all of them, or none when noop_with_empty_axes is set.
Status EmitReduce(NodeContext& c, std::string_view type) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  ANEMONE_ASSIGN(auto axes, c.IntsOr(1, "axes"));
  if (!axes || axes->empty()) {
    if (c.Int("noop_with_empty_axes", 0) != 0) return c.Forward(0, 0);
    axes.emplace(static_cast<size_t>(c.Rank(0)));
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (c.Rank(0) == 0) return c.Forward(0, 0);
  ANEMONE_ASSIGN(const auto along, NormalizeAxes(*axes, c.Rank(0)));
  ir::Value* x = c.Value(0);
  const bool boolean = c.Dtype(0) == DType::kBool;
  Args args = {{"x", boolean ? c.Cast(x, DType::kInt32) : x},
               {"axes", ir::Ints(along)},
               {"keep_dims", ir::Literal::Bool(c.Int("keepdims", 1) != 0)}};
  if (!boolean) return c.Emit(type, std::move(args));
  return c.Set(0, c.Cast(c.Op(type, std::move(args)), DType::kBool));
}
Status EmitSum(NodeContext& c) { return EmitReduce(c, "reduce_sum"); }
Status EmitMean(NodeContext& c) { return EmitReduce(c, "reduce_mean"); }
Status EmitMax(NodeContext& c) { return EmitReduce(c, "reduce_max"); }
Status EmitMin(NodeContext& c) { return EmitReduce(c, "reduce_min"); }
Status EmitProd(NodeContext& c) { return EmitReduce(c, "reduce_prod"); }
Status EmitL1(NodeContext& c) { return EmitReduce(c, "reduce_l1_norm"); }
Status EmitL2(NodeContext& c) { return EmitReduce(c, "reduce_l2_norm"); }
Status EmitLogSum(NodeContext& c) { return EmitReduce(c, "reduce_log_sum"); }
Status EmitLogSumExp(NodeContext& c) { return EmitReduce(c, "reduce_log_sum_exp"); }
Status EmitSumSquare(NodeContext& c) { return EmitReduce(c, "reduce_sum_square"); }

Status EmitArg(NodeContext& c, std::string_view type) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 0), c.Rank(0)));
  c.SetType(0, DType::kInt64);
  const auto args = [&](ir::Value* x) -> Args {
    return {{"x", x},
            {"axis", ir::Literal::Int32(static_cast<int32_t>(axis))},
            {"keep_dims", ir::Literal::Bool(c.Int("keepdims", 1) != 0)}};
  };
  if (c.Int("select_last_index", 0) == 0) return c.Emit(type, args(c.Value(0)));
  // MIL returns the first of equal elements: the first of the reversed tensor is the last.
  ir::Value* reversed = c.Op("reverse", {{"x", c.Value(0)}, {"axes", ir::Ints({axis})}});
  ir::Value* first = c.Op(type, args(reversed));
  ir::Value* last = c.SizeValue(c.AddSizes(c.Sizes(0)[static_cast<size_t>(axis)], -1));
  return c.Emit("sub", {{"x", c.Reshape(last, {})}, {"y", first}});
}
Status EmitArgMax(NodeContext& c) { return EmitArg(c, "reduce_argmax"); }
Status EmitArgMin(NodeContext& c) { return EmitArg(c, "reduce_argmin"); }

constexpr Converter kConverters[] = {
    {.op = "ReduceSum", .emit = EmitSum},
    {.op = "ReduceMean", .emit = EmitMean},
    {.op = "ReduceMax", .emit = EmitMax},
    {.op = "ReduceMin", .emit = EmitMin},
    {.op = "ReduceProd", .emit = EmitProd},
    {.op = "ReduceL1", .emit = EmitL1},
    {.op = "ReduceL2", .emit = EmitL2},
    {.op = "ReduceLogSum", .emit = EmitLogSum},
    {.op = "ReduceLogSumExp", .emit = EmitLogSumExp},
    {.op = "ReduceSumSquare", .emit = EmitSumSquare},
    {.op = "ArgMax", .emit = EmitArgMax},
    {.op = "ArgMin", .emit = EmitArgMin},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::reduction
