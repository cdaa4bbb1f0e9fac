#include "compress/threshold_pruning.h"

#include <cmath>

#include "compress/method.h"

namespace anemone::compress {

Result<SparseTensor> PruneByThreshold(const ir::Literal& weight, const ThresholdConfig& config) {
  const std::vector<float> values = *weight.AsFloats();
  const float threshold = RoundedTo(weight.dtype(), static_cast<float>(config.threshold));
  std::vector<uint8_t> mask(values.size());
  size_t zeros = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    mask[i] = std::abs(values[i]) > threshold ? 1 : 0;
    zeros += mask[i] == 0 ? 1 : 0;
  }
  const double sparsity = static_cast<double>(zeros) / static_cast<double>(values.size());
  if (sparsity < config.minimum_sparsity_percentile) {
    return InvalidInput("only {:.1f} % of it is zero, not {:.1f} %", 100 * sparsity,
                        100 * config.minimum_sparsity_percentile);
  }
  return KeepMasked(weight, values, std::move(mask));
}

namespace {

class ThresholdMethod final : public Method {
 public:
  std::string_view config_type() const override { return "OpThresholdPrunerConfig"; }
  OpConfig Default() const override { return ThresholdConfig(); }

  ConfigTable FieldsOf(OpConfig& config) const override {
    ThresholdConfig& threshold = *config.As<ThresholdConfig>();
    return {
        {.key = "threshold", .field = &threshold.threshold},
        {.key = "minimum_sparsity_percentile", .field = &threshold.minimum_sparsity_percentile},
        {.key = "weight_threshold", .field = &threshold.weight_threshold},
    };
  }

  Status Check(const OpConfig& config) const override {
    const ThresholdConfig& threshold = *config.As<ThresholdConfig>();
    if (!(threshold.threshold >= 0))
      return Usage("threshold is {}", threshold.threshold).Advise("0 or more");
    if (!(threshold.minimum_sparsity_percentile >= 0 &&
          threshold.minimum_sparsity_percentile <= 1)) {
      return Usage("minimum_sparsity_percentile is {}", threshold.minimum_sparsity_percentile)
          .Advise("between 0 and 1");
    }
    return {};
  }

  OpsetNeed NeedOf(const OpConfig&) const override { return SparseNeed(); }

  Result<std::optional<OpConfig>> FromOptions(const CompressOptions& options) const override {
    if (options.mode != "prune" || !options.threshold) return std::optional<OpConfig>();
    if (options.target_sparsity || !options.nm.empty())
      return Usage("give one of --target-sparsity, --nm and --threshold");
    return std::optional<OpConfig>(ThresholdConfig{
        .threshold = *options.threshold,
        .weight_threshold = options.weight_threshold.value_or(kDefaultWeightThreshold)});
  }

  bool Takes(SiteKind kind, bool joint) const override { return TakesSparse(kind, joint); }

  Result<std::unique_ptr<CompressedWeight>> Encode(const OpConfig& config,
                                                   const EncodeInput& input) const override {
    ANEMONE_TRY(CheckFinite(input.weight));
    ANEMONE_ASSIGN(SparseTensor sparse,
                   PruneByThreshold(input.weight, *config.As<ThresholdConfig>()));
    return MakeSparseWeight(std::move(sparse));
  }
};

}  // namespace

const Method& ThresholdPruning() {
  static const ThresholdMethod method;
  return method;
}

}  // namespace anemone::compress
