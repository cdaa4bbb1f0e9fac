// gather and scatter, over an axis, along one, and by coordinates.
#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

Result<ir::Literal> ModeOf(nn::ScatterMode mode) {
  switch (mode) {
    case nn::SCATTER_UPDATE:
      return ir::Literal::String("update");
    case nn::SCATTER_ADD:
      return ir::Literal::String("add");
    case nn::SCATTER_SUB:
      return ir::Literal::String("sub");
    case nn::SCATTER_MUL:
      return ir::Literal::String("mul");
    case nn::SCATTER_DIV:
      return ir::Literal::String("div");
    case nn::SCATTER_MAX:
      return ir::Literal::String("max");
    case nn::SCATTER_MIN:
      return ir::Literal::String("min");
    default:
      return InvalidInput("mode {} is unknown", static_cast<int>(mode));
  }
}

// `axis` as it is stated, where the rank is not known; checked where it is.
Result<int64_t> AxisOf(const LayerContext& c, int64_t axis) {
  if (c.In(0).ranked) return c.Axis(0, axis);
  if (axis < 0 || axis >= kMaxRank) return Unsupported("axis {} of an unknown rank", axis);
  return axis;
}

Status EmitGather(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  ANEMONE_ASSIGN(const int64_t axis, AxisOf(c, c.layer().gather().axis()));
  return c.Set(0, c.Op("gather", {{"x", c.IsInt(0) ? c.Int(0) : c.Value(0)},
                                  {"indices", c.Int(1)},
                                  {"axis", Int(axis)}}));
}

Status EmitGatherAlongAxis(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  ANEMONE_ASSIGN(const int64_t axis, AxisOf(c, c.layer().gatheralongaxis().axis()));
  return c.Set(0, c.Op("gather_along_axis", {{"x", c.IsInt(0) ? c.Int(0) : c.Value(0)},
                                             {"indices", c.Int(1)},
                                             {"axis", Int(axis)}}));
}

Status EmitGatherNd(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  return c.Set(
      0, c.Op("gather_nd", {{"x", c.IsInt(0) ? c.Int(0) : c.Value(0)}, {"indices", c.Int(1)}}));
}

Status EmitScatter(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(3, 3));
  const nn::ScatterLayerParams& params = c.layer().scatter();
  ANEMONE_ASSIGN(const int64_t axis, AxisOf(c, params.axis()));
  ANEMONE_ASSIGN(ir::Literal mode, ModeOf(params.mode()));
  return c.Set(0, c.Op("scatter", {{"data", c.Value(0)},
                                   {"indices", c.Int(1)},
                                   {"updates", c.Value(2)},
                                   {"axis", Int(axis)},
                                   {"mode", std::move(mode)}}));
}

Status EmitScatterAlongAxis(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(3, 3));
  const nn::ScatterAlongAxisLayerParams& params = c.layer().scatteralongaxis();
  ANEMONE_ASSIGN(const int64_t axis, AxisOf(c, params.axis()));
  ANEMONE_ASSIGN(ir::Literal mode, ModeOf(params.mode()));
  return c.Set(0, c.Op("scatter_along_axis", {{"data", c.Value(0)},
                                              {"indices", c.Int(1)},
                                              {"updates", c.Value(2)},
                                              {"axis", Int(axis)},
                                              {"mode", std::move(mode)}}));
}

Status EmitScatterNd(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(3, 3));
  ANEMONE_ASSIGN(ir::Literal mode, ModeOf(c.layer().scatternd().mode()));
  return c.Set(0, c.Op("scatter_nd", {{"data", c.Value(0)},
                                      {"indices", c.Int(1)},
                                      {"updates", c.Value(2)},
                                      {"mode", std::move(mode)}}));
}

constexpr LayerRow kGatherScatterRows[] = {
    {Layer::kGather, "gather", EmitGather, "gather"},
    {Layer::kGatherAlongAxis, "gatherAlongAxis", EmitGatherAlongAxis, "gather_along_axis"},
    {Layer::kGatherND, "gatherND", EmitGatherNd, "gather_nd"},
    {Layer::kScatter, "scatter", EmitScatter, "scatter"},
    {Layer::kScatterAlongAxis, "scatterAlongAxis", EmitScatterAlongAxis, "scatter_along_axis"},
    {Layer::kScatterND, "scatterND", EmitScatterNd, "scatter_nd"},
};

}  // namespace

std::span<const LayerRow> GatherScatterLayers() { return kGatherScatterRows; }

}  // namespace anemone::neural_network
