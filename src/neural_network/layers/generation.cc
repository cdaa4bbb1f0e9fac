// Layers that make a tensor: constants, fills, ranges, random numbers, shapes.
#include <algorithm>
#include <cmath>

#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

constexpr int64_t kMaxMade = int64_t{1} << 30;  // elements that a layer may make from parameters

// A shape of the file for a tensor that is made from it.
Result<ir::Shape> MadeShape(const google::protobuf::RepeatedField<uint64_t>& given,
                            std::string_view what) {
  ANEMONE_ASSIGN(ir::Shape shape, CheckedSizes(given, what));
  if (shape.empty()) shape = {1};
  if (shape.size() > static_cast<size_t>(kMaxRank)) {
    return InvalidInput("{} has {} sizes", what, shape.size());
  }
  if (ir::ElementCount(shape).value_or(INT64_MAX) > kMaxMade) {
    return InvalidInput("{} {} has more than 2^30 elements", what, ir::ShapeToString(shape));
  }
  return shape;
}

Status EmitLoadConstant(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(0, 0));
  const nn::LoadConstantLayerParams& params = c.layer().loadconstant();
  ANEMONE_ASSIGN(ir::Shape shape, CheckedSizes(params.shape(), "shape"));
  if (shape.size() != 3) return InvalidInput("its shape has {} sizes, not 3", shape.size());
  // [channel, height, width] of one image.
  shape.insert(shape.begin(), 1);
  ir::Value* value = c.Weights(params.data(), shape, "data");
  if (c.traits().rank5) shape.insert(shape.begin(), 1);
  return c.SetView(0, value, std::move(shape));
}

Status EmitLoadConstantNd(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(0, 0));
  const nn::LoadConstantNDLayerParams& params = c.layer().loadconstantnd();
  ANEMONE_ASSIGN(ir::Shape shape, CheckedSizes(params.shape(), "shape"));
  if (shape.empty()) shape = {1};
  return c.Set(0, c.Weights(params.data(), shape, "data"));
}

Status Fill(LayerContext& c, ir::ArgInit shape, float value) {
  return c.Set(0, c.Op("fill", {std::move(shape), {"value", ir::Literal::Fp32(value)}}));
}

Status EmitFillLike(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const float value = c.layer().filllike().value();
  if (c.In(0).ranked && IsStatic(c.Dims(0))) return Fill(c, {"shape", ir::Ints(c.Dims(0))}, value);
  return Fill(c, {"shape", c.Op("shape", {{"x", c.Raw(0)}})}, value);
}

Status EmitFillStatic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(0, 0));
  const nn::FillStaticLayerParams& params = c.layer().fillstatic();
  ANEMONE_ASSIGN(const ir::Shape shape, MadeShape(params.targetshape(), "targetShape"));
  return Fill(c, {"shape", ir::Ints(shape)}, params.value());
}

Status EmitFillDynamic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const float value = c.layer().filldynamic().value();
  // A shape that is known makes later ones known, which may decide a branch.
  const auto known = c.KnownInts(0);
  const bool valid = known && known->size() <= static_cast<size_t>(kMaxRank) &&
                     std::ranges::all_of(*known, [](int64_t size) { return size >= 1; }) &&
                     ir::ElementCount(*known).value_or(INT64_MAX) <= kMaxMade;
  if (valid) return Fill(c, {"shape", ir::Ints(*known)}, value);
  return Fill(c, {"shape", c.Int(0)}, value);
}

Status EmitGetShape(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  if (c.In(0).ranked && IsStatic(c.Dims(0))) {
    return c.Set(0, c.Constant(ir::Literal::Int32s(c.Dims(0)), "shape"));
  }
  return c.Set(0, c.Op("shape", {{"x", c.Raw(0)}}));
}

Status EmitRangeStatic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(0, 0));
  const nn::RangeStaticLayerParams& params = c.layer().rangestatic();
  const double count = (static_cast<double>(params.endvalue()) - params.startvalue()) /
                       static_cast<double>(params.stepsizevalue());
  if (!(count <= static_cast<double>(kMaxMade))) {
    return InvalidInput("a range from {} to {} by {}", params.startvalue(), params.endvalue(),
                        params.stepsizevalue());
  }
  return c.Set(0, c.Op("range_1d", {{"end", ir::Literal::Fp32(params.endvalue())},
                                    {"start", ir::Literal::Fp32(params.startvalue())},
                                    {"step", ir::Literal::Fp32(params.stepsizevalue())}}));
}

// Inputs are the end, the start and the step, as far as they are given.
Status EmitRangeDynamic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 3));
  const nn::RangeDynamicLayerParams& params = c.layer().rangedynamic();
  const auto scalar = [&](size_t input, float fallback) {
    if (input >= c.InputCount()) return c.Float(fallback);
    return c.Op("squeeze", {{"x", c.View(c.Value(input), {1})}, {"axes", ir::Ints({0})}});
  };
  ir::Value* end = scalar(0, 0);
  ir::Value* start = scalar(1, params.startvalue());
  ir::Value* step = scalar(2, params.stepsizevalue());
  return c.Set(0, c.Op("range_1d", {{"end", end}, {"start", start}, {"step", step}}));
}

// ---- random numbers

// Where the shape of the numbers comes from.
enum class ShapeFrom : uint8_t { kLike, kParameter, kInput };

Result<ir::ArgInit> RandomShape(LayerContext& c, ShapeFrom from,
                                const google::protobuf::RepeatedField<uint64_t>* given) {
  if (from == ShapeFrom::kParameter) {
    ANEMONE_TRY(c.CheckCounts(0, 0));
    ANEMONE_ASSIGN(const ir::Shape shape, MadeShape(*given, "outputShape"));
    return ir::ArgInit{"shape", ir::Ints(shape)};
  }
  ANEMONE_TRY(c.CheckCounts(1, 1));
  if (from == ShapeFrom::kInput) return ir::ArgInit{"shape", c.Int(0)};
  return ir::ArgInit{"shape", c.Op("shape", {{"x", c.Raw(0)}})};
}

// A seed beyond int32 would be another seed.
Result<ir::Literal> Seed(int64_t seed) {
  if (seed < INT32_MIN || seed > INT32_MAX) return Unsupported("the seed {}", seed);
  return ir::Literal::Int32(static_cast<int32_t>(seed));
}

Status Random(LayerContext& c, std::string_view type, ShapeFrom from,
              const google::protobuf::RepeatedField<uint64_t>* given, int64_t seed, Args params) {
  ANEMONE_ASSIGN(ir::ArgInit shape, RandomShape(c, from, given));
  ANEMONE_ASSIGN(ir::Literal seed_literal, Seed(seed));
  params.push_back(std::move(shape));
  params.push_back({"seed", std::move(seed_literal)});
  return c.Set(0, c.Op(type, std::move(params)));
}

template <typename Params>
Status Normal(LayerContext& c, ShapeFrom from, const Params& params,
              const google::protobuf::RepeatedField<uint64_t>* given = nullptr) {
  return Random(
      c, "random_normal", from, given, params.seed(),
      {{"mean", ir::Literal::Fp32(params.mean())}, {"stddev", ir::Literal::Fp32(params.stddev())}});
}

template <typename Params>
Status Uniform(LayerContext& c, ShapeFrom from, const Params& params,
               const google::protobuf::RepeatedField<uint64_t>* given = nullptr) {
  return Random(
      c, "random_uniform", from, given, params.seed(),
      {{"low", ir::Literal::Fp32(params.minval())}, {"high", ir::Literal::Fp32(params.maxval())}});
}

template <typename Params>
Status Bernoulli(LayerContext& c, ShapeFrom from, const Params& params,
                 const google::protobuf::RepeatedField<uint64_t>* given = nullptr) {
  return Random(c, "random_bernoulli", from, given, params.seed(),
                {{"prob", ir::Literal::Fp32(params.prob())}});
}

Status EmitNormalLike(LayerContext& c) {
  return Normal(c, ShapeFrom::kLike, c.layer().randomnormallike());
}
Status EmitNormalStatic(LayerContext& c) {
  const auto& params = c.layer().randomnormalstatic();
  return Normal(c, ShapeFrom::kParameter, params, &params.outputshape());
}
Status EmitNormalDynamic(LayerContext& c) {
  return Normal(c, ShapeFrom::kInput, c.layer().randomnormaldynamic());
}
Status EmitUniformLike(LayerContext& c) {
  return Uniform(c, ShapeFrom::kLike, c.layer().randomuniformlike());
}
Status EmitUniformStatic(LayerContext& c) {
  const auto& params = c.layer().randomuniformstatic();
  return Uniform(c, ShapeFrom::kParameter, params, &params.outputshape());
}
Status EmitUniformDynamic(LayerContext& c) {
  return Uniform(c, ShapeFrom::kInput, c.layer().randomuniformdynamic());
}
Status EmitBernoulliLike(LayerContext& c) {
  return Bernoulli(c, ShapeFrom::kLike, c.layer().randombernoullilike());
}
Status EmitBernoulliStatic(LayerContext& c) {
  const auto& params = c.layer().randombernoullistatic();
  return Bernoulli(c, ShapeFrom::kParameter, params, &params.outputshape());
}
Status EmitBernoulliDynamic(LayerContext& c) {
  return Bernoulli(c, ShapeFrom::kInput, c.layer().randombernoullidynamic());
}

Status EmitCategorical(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const nn::CategoricalDistributionLayerParams& params = c.layer().categoricaldistribution();
  ANEMONE_ASSIGN(ir::Literal seed, Seed(params.seed()));
  if (params.numsamples() < 1 || params.numsamples() > kMaxMade) {
    return InvalidInput("numSamples is {}", params.numsamples());
  }
  ir::Value* x = c.Value(0);
  const float temperature = params.temperature() == 0 ? 1 : params.temperature();
  if (temperature != 1) {
    if (!params.islogits()) {
      return Unsupported("a temperature of {} for probabilities", temperature)
          .Advise("give it logits");
    }
    x = c.Binary("real_div", x, c.Float(temperature));
  }
  return c.Set(0, c.Op("random_categorical",
                       {{"x", x},
                        {"mode", ir::Literal::String(params.islogits() ? "logits" : "probs")},
                        {"size", ir::Literal::Int32(static_cast<int32_t>(params.numsamples()))},
                        {"seed", std::move(seed)}}));
}

constexpr LayerRow kGenerationRows[] = {
    {Layer::kLoadConstant, "loadConstant", EmitLoadConstant, "const"},
    {Layer::kLoadConstantND, "loadConstantND", EmitLoadConstantNd, "const"},
    {Layer::kFillLike, "fillLike", EmitFillLike, "shape, fill"},
    {Layer::kFillStatic, "fillStatic", EmitFillStatic, "fill"},
    {Layer::kFillDynamic, "fillDynamic", EmitFillDynamic, "fill"},
    {Layer::kGetShape, "getShape", EmitGetShape, "shape"},
    {Layer::kRangeStatic, "rangeStatic", EmitRangeStatic, "range_1d"},
    {Layer::kRangeDynamic, "rangeDynamic", EmitRangeDynamic, "range_1d"},
    {Layer::kRandomNormalLike, "randomNormalLike", EmitNormalLike, "shape, random_normal"},
    {Layer::kRandomNormalStatic, "randomNormalStatic", EmitNormalStatic, "random_normal"},
    {Layer::kRandomNormalDynamic, "randomNormalDynamic", EmitNormalDynamic, "random_normal"},
    {Layer::kRandomUniformLike, "randomUniformLike", EmitUniformLike, "shape, random_uniform"},
    {Layer::kRandomUniformStatic, "randomUniformStatic", EmitUniformStatic, "random_uniform"},
    {Layer::kRandomUniformDynamic, "randomUniformDynamic", EmitUniformDynamic, "random_uniform"},
    {Layer::kRandomBernoulliLike, "randomBernoulliLike", EmitBernoulliLike,
     "shape, random_bernoulli"},
    {Layer::kRandomBernoulliStatic, "randomBernoulliStatic", EmitBernoulliStatic,
     "random_bernoulli"},
    {Layer::kRandomBernoulliDynamic, "randomBernoulliDynamic", EmitBernoulliDynamic,
     "random_bernoulli"},
    {Layer::kCategoricalDistribution, "categoricalDistribution", EmitCategorical,
     "real_div, random_categorical", "a temperature for probabilities"},
};

}  // namespace

std::span<const LayerRow> GenerationLayers() { return kGenerationRows; }

}  // namespace anemone::neural_network
