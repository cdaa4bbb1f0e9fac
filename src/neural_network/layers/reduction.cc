// reduce, the reductions over any axes, argMax and argMin.
#include <numeric>

#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;
using Reduce = nn::ReduceLayerParams;

ir::Value* OverAxes(LayerContext& c, std::string_view type, ir::Value* x,
                    const std::vector<int64_t>& axes, bool keep_dims) {
  return c.Op(type,
              {{"x", x}, {"axes", ir::Ints(axes)}, {"keep_dims", ir::Literal::Bool(keep_dims)}});
}

// The axes of [N, C, H, W].
Result<std::vector<int64_t>> AxesOf(Reduce::ReduceAxis axis) {
  switch (axis) {
    case Reduce::CHW:
      return std::vector<int64_t>{1, 2, 3};
    case Reduce::HW:
      return std::vector<int64_t>{2, 3};
    case Reduce::C:
      return std::vector<int64_t>{1};
    case Reduce::H:
      return std::vector<int64_t>{2};
    case Reduce::W:
      return std::vector<int64_t>{3};
    default:
      return InvalidInput("axis {} is unknown", static_cast<int>(axis));
  }
}

Status EmitReduce(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const Reduce& params = c.layer().reduce();
  ANEMONE_ASSIGN(const auto axes, AxesOf(params.axis()));
  ir::Value* x = c.Nchw(0);
  ir::Value* y = nullptr;
  switch (params.mode()) {
    case Reduce::SUM:
      y = OverAxes(c, "reduce_sum", x, axes, true);
      break;
    case Reduce::AVG:
      y = OverAxes(c, "reduce_mean", x, axes, true);
      break;
    case Reduce::PROD:
      y = OverAxes(c, "reduce_prod", x, axes, true);
      break;
    case Reduce::LOGSUM: {
      // The sum of the logarithms of all elements.
      const float epsilon = params.epsilon() == 0 ? 1e-6f : params.epsilon();
      ir::Value* log = c.Op("log", {{"x", x}, {"epsilon", ir::Literal::Fp32(epsilon)}});
      y = OverAxes(c, "reduce_sum", log, axes, true);
      break;
    }
    case Reduce::SUMSQUARE:
      y = OverAxes(c, "reduce_sum_square", x, axes, true);
      break;
    case Reduce::L1:
      y = OverAxes(c, "reduce_l1_norm", x, axes, true);
      break;
    case Reduce::L2:
      y = OverAxes(c, "reduce_l2_norm", x, axes, true);
      break;
    case Reduce::MAX:
      y = OverAxes(c, "reduce_max", x, axes, true);
      break;
    case Reduce::MIN:
      y = OverAxes(c, "reduce_min", x, axes, true);
      break;
    case Reduce::ARGMAX:
      if (axes.size() != 1) return InvalidInput("argmax over more than one axis");
      y = c.Op("reduce_argmax", {{"x", x},
                                 {"axis", ir::Literal::Int32(static_cast<int32_t>(axes[0]))},
                                 {"keep_dims", ir::Literal::Bool(true)}});
      break;
    default:
      return InvalidInput("mode {} is unknown", static_cast<int>(params.mode()));
  }
  return c.SetNchw(0, y, 0);
}

Status EmitAxes(LayerContext& c, std::string_view type, const nn::ReduceAxesLayerParams& params) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0));
  std::vector<int64_t> axes;
  if (params.reduceall()) {
    axes.resize(static_cast<size_t>(c.Rank(0)));
    std::iota(axes.begin(), axes.end(), 0);
  } else {
    if (params.axes().empty()) return InvalidInput("it names no axes");
    for (const int64_t given : params.axes()) {
      ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, given));
      axes.push_back(axis);
    }
  }
  return c.Set(0, OverAxes(c, type, c.Value(0), axes, params.keepdims()));
}

Status EmitL1(LayerContext& c) { return EmitAxes(c, "reduce_l1_norm", c.layer().reducel1()); }
Status EmitL2(LayerContext& c) { return EmitAxes(c, "reduce_l2_norm", c.layer().reducel2()); }
Status EmitMax(LayerContext& c) { return EmitAxes(c, "reduce_max", c.layer().reducemax()); }
Status EmitMin(LayerContext& c) { return EmitAxes(c, "reduce_min", c.layer().reducemin()); }
Status EmitSum(LayerContext& c) { return EmitAxes(c, "reduce_sum", c.layer().reducesum()); }
Status EmitProd(LayerContext& c) { return EmitAxes(c, "reduce_prod", c.layer().reduceprod()); }
Status EmitMean(LayerContext& c) { return EmitAxes(c, "reduce_mean", c.layer().reducemean()); }
Status EmitLogSum(LayerContext& c) {
  return EmitAxes(c, "reduce_log_sum", c.layer().reducelogsum());
}
Status EmitSumSquare(LayerContext& c) {
  return EmitAxes(c, "reduce_sum_square", c.layer().reducesumsquare());
}
Status EmitLogSumExp(LayerContext& c) {
  return EmitAxes(c, "reduce_log_sum_exp", c.layer().reducelogsumexp());
}

Status EmitArg(LayerContext& c, std::string_view type, const nn::ArgReduceLayerParams& params) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, params.axis()));
  return c.Set(0, c.Op(type, {{"x", c.Value(0)},
                              {"axis", ir::Literal::Int32(static_cast<int32_t>(axis))},
                              {"keep_dims", ir::Literal::Bool(!params.removedim())}}));
}

Status EmitArgMax(LayerContext& c) { return EmitArg(c, "reduce_argmax", c.layer().argmax()); }
Status EmitArgMin(LayerContext& c) { return EmitArg(c, "reduce_argmin", c.layer().argmin()); }

constexpr LayerRow kReductionRows[] = {
    {Layer::kReduce, "reduce", EmitReduce,
     "reduce_sum, reduce_mean, reduce_prod, log, reduce_sum_square, reduce_l1_norm, "
     "reduce_l2_norm, reduce_max, reduce_min, reduce_argmax"},
    {Layer::kReduceL1, "reduceL1", EmitL1, "reduce_l1_norm"},
    {Layer::kReduceL2, "reduceL2", EmitL2, "reduce_l2_norm"},
    {Layer::kReduceMax, "reduceMax", EmitMax, "reduce_max"},
    {Layer::kReduceMin, "reduceMin", EmitMin, "reduce_min"},
    {Layer::kReduceSum, "reduceSum", EmitSum, "reduce_sum"},
    {Layer::kReduceProd, "reduceProd", EmitProd, "reduce_prod"},
    {Layer::kReduceMean, "reduceMean", EmitMean, "reduce_mean"},
    {Layer::kReduceLogSum, "reduceLogSum", EmitLogSum, "reduce_log_sum"},
    {Layer::kReduceSumSquare, "reduceSumSquare", EmitSumSquare, "reduce_sum_square"},
    {Layer::kReduceLogSumExp, "reduceLogSumExp", EmitLogSumExp, "reduce_log_sum_exp"},
    {Layer::kArgMax, "argMax", EmitArgMax, "reduce_argmax"},
    {Layer::kArgMin, "argMin", EmitArgMin, "reduce_argmin"},
};

}  // namespace

std::span<const LayerRow> ReductionLayers() { return kReductionRows; }

}  // namespace anemone::neural_network
