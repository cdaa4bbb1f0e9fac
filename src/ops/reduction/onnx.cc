// ONNX: reductions, ArgMax, ArgMin.
#include <numeric>

#include "onnx/converter.h"
#include "ops/infer.h"

namespace anemone::ops::reduction {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

// A reduction over known axes. Bools are reduced as int32.
Args ReduceArgs(NodeContext& c, const std::vector<int64_t>& axes) {
  const bool boolean = c.Dtype(0) == DType::kBool;
  return {{"x", boolean ? c.Cast(c.Value(0), DType::kInt32) : c.Value(0)},
          {"axes", ir::Ints(axes)},
          {"keep_dims", ir::Literal::Bool(c.Int("keepdims", 1) != 0)}};
}
ir::Value* Reduce(NodeContext& c, std::string_view type, const std::vector<int64_t>& axes) {
  return c.Cast(c.Op(type, ReduceArgs(c, axes)), c.Dtype(0));
}

// All choices of `count` axes of `dims` that give the shape `wanted`.
std::vector<std::vector<int64_t>> AxesThatGive(const ir::Shape& dims, const ir::Shape& wanted,
                                               int64_t count, bool keep) {
  std::vector<std::vector<int64_t>> found;
  for (uint32_t bits = 0; bits < (uint32_t{1} << dims.size()); ++bits) {
    std::vector<int64_t> axes;
    ir::Shape shape;
    for (size_t d = 0; d < dims.size(); ++d) {
      const bool reduced = (bits >> d & 1) != 0;
      if (reduced) axes.push_back(static_cast<int64_t>(d));
      if (!reduced || keep) shape.push_back(reduced ? 1 : dims[d]);
    }
    if (static_cast<int64_t>(axes.size()) == count && shape == wanted) found.push_back(axes);
  }
  return found;
}

// Axes that only the run time knows must give the shape that the file declares. Where several do, all
// are computed and the axes choose one.
Status EmitRuntimeAxes(NodeContext& c, std::string_view type) {
  constexpr size_t kMostChoices = 4;
  const ir::Shape* wanted = c.Declared(0);
  if (wanted == nullptr || c.IsOpen(0) || c.IsOpen(1) || c.Rank(1) != 1 || c.Rank(0) > kMaxRank)
    return c.Ints(1, "axes").status();
  const auto choices = AxesThatGive(c.Dims(0), *wanted, c.Dims(1)[0], c.Int("keepdims", 1) != 0);
  if (choices.empty())
    return InvalidInput("no {} axes of {} give the declared shape {}", c.Dims(1)[0],
                        ir::ShapeToString(c.Dims(0)), ir::ShapeToString(*wanted));
  if (choices.size() > kMostChoices) return c.Ints(1, "axes").status();
  ir::Value* y = Reduce(c, type, choices[0]);
  if (choices.size() > 1) {
    // The sum of the powers of 2 of the axes names each choice.
    std::vector<int64_t> powers;
    for (int64_t d = 0; d < c.Rank(0); ++d) powers.push_back(int64_t{1} << d);
    const auto number = [&](int64_t value) {
      return c.MakeConst(ir::Literal::Int32(static_cast<int32_t>(value)), "number");
    };
    ir::Value* from_front = c.Binary("mod", {c.Value(1), number(c.Rank(0))});
    ir::Value* bits = c.Op("gather", {{"x", c.MakeConst(onnx::Constant::Int64s(powers), "powers")},
                                      {"indices", from_front},
                                      {"axis", ir::Literal::Int32(0)}});
    ir::Value* sum =
        c.Op("reduce_sum",
             {{"x", bits}, {"axes", ir::Ints({0})}, {"keep_dims", ir::Literal::Bool(false)}});
    for (size_t i = 1; i < choices.size(); ++i) {
      int64_t name = 0;
      for (const int64_t axis : choices[i]) name += int64_t{1} << axis;
      ir::Value* chosen = c.Binary("equal", {sum, number(name)});
      ir::Value* other = Reduce(c, type, choices[i]);
      y = c.Op("select", {{"cond", chosen}, {"a", other}, {"b", y}});
    }
  }
  return c.Set(0, y);
}

// The axes moved from an attribute to an input in opset 13 (ReduceSum) and 18 (the others). No axes
// means all of them, or none when noop_with_empty_axes is set.
Status EmitReduce(NodeContext& c, std::string_view type) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  if (c.Has(1) && !c.Known(1) && !c.In(1).sizes) return EmitRuntimeAxes(c, type);
  ANEMONE_ASSIGN(auto axes, c.IntsOr(1, "axes"));
  if (!axes || axes->empty()) {
    if (c.Int("noop_with_empty_axes", 0) != 0) return c.Forward(0, 0);
    axes.emplace(static_cast<size_t>(c.Rank(0)));
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (c.Rank(0) == 0) return c.Forward(0, 0);
  ANEMONE_ASSIGN(const auto along, NormalizeAxes(*axes, c.Rank(0)));
  if (c.Dtype(0) != DType::kBool) return c.Emit(type, ReduceArgs(c, along));
  return c.Set(0, Reduce(c, type, along));
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
