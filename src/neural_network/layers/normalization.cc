// batchnorm, mvn, l2normalize, lrn and layerNormalization.
#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

// A small number that is added: the format's default where it is missing.
float EpsilonOr(float epsilon, float fallback) { return epsilon == 0 ? fallback : epsilon; }

Status EmitBatchnorm(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::BatchnormLayerParams& params = c.layer().batchnorm();
  ANEMONE_ASSIGN(const int64_t channels, CheckedSize(params.channels(), "channels"));
  Args args = {{"x", c.Nchw(0)},
               {"epsilon", ir::Literal::Fp32(EpsilonOr(params.epsilon(), 1e-5f))}};
  if (HasWeights(params.gamma())) {
    args.push_back({"gamma", c.Weights(params.gamma(), {channels}, "gamma")});
  }
  if (HasWeights(params.beta())) {
    args.push_back({"beta", c.Weights(params.beta(), {channels}, "beta")});
  }
  if (params.computemeanvar() && !params.instancenormalization()) {
    return Unsupported("mean and variance computed over a whole batch")
        .Advise("set instanceNormalization, or store mean and variance");
  }
  if (params.computemeanvar()) return c.SetNchw(0, c.Op("instance_norm", std::move(args)), 0);
  args.push_back({"mean", c.Weights(params.mean(), {channels}, "mean")});
  args.push_back({"variance", c.Weights(params.variance(), {channels}, "variance")});
  return c.SetNchw(0, c.Op("batch_norm", std::move(args)), 0);
}

Status EmitMvn(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::MeanVarianceNormalizeLayerParams& params = c.layer().mvn();
  ir::Value* x = c.Nchw(0);
  const std::vector<int64_t> axes =
      params.acrosschannels() ? std::vector<int64_t>{1, 2, 3} : std::vector<int64_t>{2, 3};
  if (!params.normalizevariance()) {
    ir::Value* mean =
        c.Op("reduce_mean",
             {{"x", x}, {"axes", ir::Ints(axes)}, {"keep_dims", ir::Literal::Bool(true)}});
    return c.SetNchw(0, c.Binary("sub", x, mean), 0);
  }
  return c.SetNchw(
      0,
      c.Op("layer_norm", {{"x", x},
                          {"axes", ir::Ints(axes)},
                          {"epsilon", ir::Literal::Fp32(EpsilonOr(params.epsilon(), 1e-5f))}}),
      0);
}

Status EmitL2Normalize(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const float epsilon = EpsilonOr(c.layer().l2normalize().epsilon(), 1e-6f);
  return c.SetNchw(0, c.Op("l2_norm", {{"x", c.Nchw(0)}, {"epsilon", ir::Literal::Fp32(epsilon)}}),
                   0);
}

Status EmitLrn(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::LRNLayerParams& params = c.layer().lrn();
  ANEMONE_ASSIGN(const int64_t size, CheckedSize(params.localsize(), "localSize"));
  return c.SetNchw(
      0,
      c.Op("local_response_norm", {{"x", c.Nchw(0)},
                                   {"size", ir::Literal::Int32(static_cast<int32_t>(size))},
                                   {"alpha", ir::Literal::Fp32(params.alpha())},
                                   {"beta", ir::Literal::Fp32(params.beta())},
                                   {"k", ir::Literal::Fp32(params.k() == 0 ? 1 : params.k())}}),
      0);
}

Status EmitLayerNormalization(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const nn::LayerNormalizationLayerParams& params = c.layer().layernormalization();
  const auto count = static_cast<int64_t>(params.normalizedshape_size());
  ANEMONE_TRY(c.CheckRank(0, std::max<int64_t>(count, 1)));
  if (count == 0) return InvalidInput("normalizedShape is empty");
  ir::Shape shape;
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < count; ++i) {
    ANEMONE_ASSIGN(const int64_t size,
                   CheckedSize(static_cast<uint64_t>(params.normalizedshape(static_cast<int>(i))),
                               "a size of normalizedShape"));
    const int64_t dim = c.Dims(0)[static_cast<size_t>(c.Rank(0) - count + i)];
    if (dim != ir::kDynamic && dim != size) {
      return InvalidInput("normalizedShape has {} for a dimension of {}", size, dim);
    }
    shape.push_back(size);
    axes.push_back(c.Rank(0) - count + i);
  }
  Args args = {
      {"x", c.Value(0)}, {"axes", ir::Ints(axes)}, {"epsilon", ir::Literal::Fp32(params.eps())}};
  if (HasWeights(params.gamma())) {
    args.push_back({"gamma", c.Weights(params.gamma(), shape, "gamma")});
  }
  if (HasWeights(params.beta())) args.push_back({"beta", c.Weights(params.beta(), shape, "beta")});
  return c.Set(0, c.Op("layer_norm", std::move(args)));
}

constexpr LayerRow kNormalizationRows[] = {
    {Layer::kBatchnorm, "batchnorm", EmitBatchnorm, "batch_norm, instance_norm",
     "computeMeanVar without instanceNormalization"},
    {Layer::kMvn, "mvn", EmitMvn, "layer_norm, reduce_mean, sub"},
    {Layer::kL2Normalize, "l2normalize", EmitL2Normalize, "l2_norm"},
    {Layer::kLrn, "lrn", EmitLrn, "local_response_norm"},
    {Layer::kLayerNormalization, "layerNormalization", EmitLayerNormalization, "layer_norm"},
};

}  // namespace

std::span<const LayerRow> NormalizationLayers() { return kNormalizationRows; }

}  // namespace anemone::neural_network
