// Layers that look for elements: sorting, picking, counting up.
#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

// The first `count` (a vector of one element) along `axis`.
ir::Value* FirstOf(LayerContext& c, ir::Value* x, int64_t axis, ir::Value* count) {
  if (x == nullptr) return nullptr;
  const auto rank = static_cast<int64_t>(x->type.shape().size());
  std::vector<ir::Value*> sizes;
  for (int64_t d = 0; d < rank; ++d) {
    sizes.push_back(d == axis ? count : c.Constant(ir::Literal::Int32s({-1}), "all"));
  }
  ir::Value* size = c.Op("concat", {{"values", std::move(sizes)}, {"axis", Int(0)}});
  const std::vector<int64_t> begin(static_cast<size_t>(rank), 0);
  return c.Op("slice_by_size", {{"x", x}, {"begin", ir::Ints(begin)}, {"size", size}});
}

Status EmitTopK(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2, c.OutputCount()));
  if (c.OutputCount() < 1 || c.OutputCount() > 2) {
    return InvalidInput("it has {} outputs, not 1 or 2", c.OutputCount());
  }
  const nn::TopKLayerParams& params = c.layer().topk();
  ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, params.axis()));
  std::optional<std::vector<int64_t>> given;
  if (c.InputCount() == 2) {
    given = c.KnownInts(1);
  } else {
    ANEMONE_ASSIGN(const int64_t count, CheckedSize(params.k(), "K"));
    given = std::vector<int64_t>{count};
  }
  ir::Value* x = c.Value(0);
  std::vector<ir::Value*> results;
  if (given) {
    if (given->size() != 1 || given->front() < 1) return InvalidInput("K is not one number");
    results = c.MultiOp("topk", {{"x", x},
                                 {"k", Int(given->front())},
                                 {"axis", Int(axis)},
                                 {"ascending", ir::Literal::Bool(params.usebottomk())}});
  } else {
    // A number that only the run time knows: all are sorted, and the first ones are kept.
    ir::Value* order = c.Op(
        "argsort",
        {{"x", x}, {"axis", Int(axis)}, {"ascending", ir::Literal::Bool(params.usebottomk())}});
    ir::Value* kept = FirstOf(c, order, axis, c.View(c.Int(1), {1}));
    results = {c.Op("gather_along_axis", {{"x", x}, {"indices", kept}, {"axis", Int(axis)}}), kept};
  }
  ANEMONE_TRY(c.status());
  for (size_t i = 0; i < c.OutputCount(); ++i) ANEMONE_TRY(c.Set(i, results[i]));
  return {};
}

Status EmitArgSort(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const nn::ArgSortLayerParams& params = c.layer().argsort();
  ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, params.axis()));
  return c.Set(0, c.Op("argsort", {{"x", c.Value(0)},
                                   {"axis", Int(axis)},
                                   {"ascending", ir::Literal::Bool(!params.descending())}}));
}

Status EmitOneHot(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2));
  const nn::OneHotLayerParams& params = c.layer().onehot();
  ANEMONE_TRY(c.CheckRank(0));
  if (params.axis() < -c.Rank(0) - 1 || params.axis() > c.Rank(0)) {
    return InvalidInput("axis {} of an input of rank {}", params.axis(), c.Rank(0));
  }
  ir::Value* size = nullptr;
  std::optional<std::vector<int64_t>> known;
  if (c.InputCount() == 2) {
    known = c.KnownInts(1);
  } else {
    ANEMONE_ASSIGN(const int64_t one, CheckedSize(params.onehotvectorsize(), "oneHotVectorSize"));
    known = std::vector<int64_t>{one};
  }
  if (known) {
    if (known->size() != 1) return InvalidInput("{} sizes of a vector", known->size());
    size = c.Constant(Int(known->front()), "size");
  } else {
    size = c.View(c.Int(1), {1});
    size = c.Op("squeeze", {{"x", size}, {"axes", ir::Ints({0})}});
  }
  return c.Set(0, c.Op("one_hot", {{"indices", c.Int(0)},
                                   {"one_hot_vector_size", size},
                                   {"axis", Int(params.axis())},
                                   {"on_value", ir::Literal::Fp32(params.onvalue())},
                                   {"off_value", ir::Literal::Fp32(params.offvalue())}}));
}

Status EmitCumSum(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2));
  const nn::CumSumLayerParams& params = c.layer().cumsum();
  int64_t given = params.axis();
  if (c.InputCount() == 2) {
    const auto known = c.KnownInts(1);
    if (!known || known->size() != 1) return Unsupported("an axis that only the run time knows");
    given = known->front();
  }
  ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, given));
  return c.Set(0, c.Op("cumsum", {{"x", c.Value(0)},
                                  {"axis", Int(axis)},
                                  {"exclusive", ir::Literal::Bool(params.excludefinalsum())},
                                  {"reverse", ir::Literal::Bool(params.reverse())}}));
}

Status EmitWhereNonZero(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  return c.Set(0, c.Op("non_zero", {{"x", c.Value(0)}}));
}

// A threshold that is a parameter, or an input if that is a constant.
Result<float> Known(LayerContext& c, size_t input, float parameter, std::string_view what) {
  if (input >= c.InputCount()) return parameter;
  const ir::Value* value = c.In(input).value;
  const auto numbers = value->is_const() ? value->literal->AsDoubles() : std::nullopt;
  if (!numbers || numbers->size() != 1) {
    return Unsupported("{} that only the run time knows", what)
        .Advise("store it as a parameter of the layer");
  }
  return static_cast<float>(numbers->front());
}

Status EmitNonMaximumSuppression(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 5, c.OutputCount()));
  if (c.OutputCount() < 1 || c.OutputCount() > 4) {
    return InvalidInput("it has {} outputs, not 1 to 4", c.OutputCount());
  }
  const nn::NonMaximumSuppressionLayerParams& params = c.layer().nonmaximumsuppression();
  ANEMONE_ASSIGN(const float iou, Known(c, 2, params.iouthreshold(), "an overlap threshold"));
  ANEMONE_ASSIGN(const float score, Known(c, 3, params.scorethreshold(), "a score threshold"));
  ANEMONE_ASSIGN(int64_t boxes, CheckedSize(params.maxboxes(), "maxBoxes", 0));
  if (c.InputCount() == 5) {
    const auto known = c.KnownInts(4);
    if (!known || known->size() != 1 || known->front() < 0) {
      return Unsupported("a number of boxes that only the run time knows");
    }
    boxes = known->front();
  }
  const auto results =
      c.MultiOp("non_maximum_suppression",
                {{"boxes", c.Value(0)},
                 {"scores", c.Value(1)},
                 {"iou_threshold", ir::Literal::Fp32(iou)},
                 {"score_threshold", ir::Literal::Fp32(score)},
                 {"max_boxes", Int(boxes)},
                 {"per_class_suppression", ir::Literal::Bool(params.perclasssuppression())}});
  ANEMONE_TRY(c.status());
  for (size_t i = 0; i < c.OutputCount(); ++i) ANEMONE_TRY(c.Set(i, results[i]));
  return {};
}

constexpr LayerRow kSelectionRows[] = {
    {Layer::kTopK, "topK", EmitTopK, "topk; argsort, slice_by_size, gather_along_axis"},
    {Layer::kArgSort, "argSort", EmitArgSort, "argsort"},
    {Layer::kOneHot, "oneHot", EmitOneHot, "one_hot"},
    {Layer::kCumSum, "cumSum", EmitCumSum, "cumsum", "an axis that only the run time knows"},
    {Layer::kWhereNonZero, "whereNonZero", EmitWhereNonZero, "non_zero"},
    {Layer::kNonMaximumSuppression, "NonMaximumSuppression", EmitNonMaximumSuppression,
     "non_maximum_suppression", "thresholds that only the run time knows"},
};

}  // namespace

std::span<const LayerRow> SelectionLayers() { return kSelectionRows; }

}  // namespace anemone::neural_network
