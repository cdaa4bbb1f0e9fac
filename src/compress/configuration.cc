#include "compress/configuration.h"

#include <algorithm>

namespace anemone::compress {
namespace {

Status CheckThreshold(int64_t threshold) {
  if (threshold >= 0) return {};
  return Usage("weight_threshold is {}", threshold).Advise("0 or more elements");
}

Status Check(const LinearConfig& config) {
  const DType dtype = config.dtype;
  if (dtype != DType::kInt8 && dtype != DType::kUInt8 && dtype != DType::kInt4 &&
      dtype != DType::kUInt4) {
    return Usage("{} is no dtype of linear quantization", DTypeName(dtype))
        .Advise("choose int8, uint8, int4 or uint4");
  }
  if (config.granularity == Granularity::kPerGroupedChannel) {
    return Usage("linear quantization has no granularity per_grouped_channel")
        .Advise("choose per_tensor, per_channel or per_block");
  }
  if (config.block_size < 1)
    return Usage("block_size is {}", config.block_size).Advise("1 or more elements");
  if (std::ranges::any_of(config.block_sizes, [](int64_t size) { return size < 0; }))
    return Usage("a block_size is negative");
  return CheckThreshold(config.weight_threshold);
}

Status Check(const PaletteConfig& config) {
  constexpr int kBits[] = {1, 2, 3, 4, 6, 8};
  if (config.mode == PaletteMode::kUnique) {
    if (config.nbits != 0)
      return Usage("nbits is given for the mode unique").Advise("leave it out: it follows");
  } else if (config.nbits == 0) {
    return Usage("nbits is missing").Advise("choose 1, 2, 3, 4, 6 or 8");
  } else if (std::ranges::find(kBits, config.nbits) == std::end(kBits)) {
    Error error = Usage("Core ML has no palettes of {} bits", config.nbits);
    if (config.nbits == 5) return std::move(error).Advise("choose 4 for size or 6 for accuracy");
    if (config.nbits == 7) return std::move(error).Advise("choose 6 for size or 8 for accuracy");
    return std::move(error).Advise("choose 1, 2, 3, 4, 6 or 8");
  }
  if (config.granularity != Granularity::kPerTensor &&
      config.granularity != Granularity::kPerGroupedChannel) {
    return Usage("palettization has no granularity {}", GranularityName(config.granularity))
        .Advise("choose per_tensor or per_grouped_channel");
  }
  if (config.group_size < 1)
    return Usage("group_size is {}", config.group_size).Advise("1 or more channels");
  if (config.cluster_dim < 1)
    return Usage("cluster_dim is {}", config.cluster_dim).Advise("1 or more values");
  if (config.cluster_dim > 1 && config.mode == PaletteMode::kUniform)
    return Usage("cluster_dim is {} in the mode uniform", config.cluster_dim)
        .Advise("vectors need the mode kmeans or unique");
  if (config.lut_dtype != DType::kInvalid && config.lut_dtype != DType::kInt8 &&
      config.lut_dtype != DType::kUInt8) {
    return Usage("lut_dtype is {}", DTypeName(config.lut_dtype)).Advise("choose int8 or uint8");
  }
  return CheckThreshold(config.weight_threshold);
}

Status Check(const ThresholdConfig& config) {
  if (!(config.threshold >= 0))
    return Usage("threshold is {}", config.threshold).Advise("0 or more");
  if (!(config.minimum_sparsity_percentile >= 0 && config.minimum_sparsity_percentile <= 1)) {
    return Usage("minimum_sparsity_percentile is {}", config.minimum_sparsity_percentile)
        .Advise("between 0 and 1");
  }
  return CheckThreshold(config.weight_threshold);
}

Status Check(const MagnitudeConfig& config) {
  if (config.target_sparsity.has_value() == config.n_m_ratio.has_value())
    return Usage("give either target_sparsity or n_m_ratio");
  if (config.target_sparsity && !(*config.target_sparsity >= 0 && *config.target_sparsity <= 1))
    return Usage("target_sparsity is {}", *config.target_sparsity).Advise("between 0 and 1");
  if (config.block_size && config.n_m_ratio)
    return Usage("block_size and n_m_ratio exclude one another");
  if (config.block_size && *config.block_size <= 1)
    return Usage("the block_size of pruning is {}", *config.block_size).Advise("2 or more");
  if (config.n_m_ratio) {
    const auto [n, m] = *config.n_m_ratio;
    if (n < 0 || m < 1 || n > m)
      return Usage("n_m_ratio is {}:{}", n, m).Advise("n of every m, n at most m");
  }
  if (config.dim) {
    if (!config.block_size && !config.n_m_ratio)
      return Usage("dim is given without block_size or n_m_ratio");
    if (*config.dim != 0 && *config.dim != 1)
      return Usage("dim is {}", *config.dim).Advise("0 or 1");
  }
  return CheckThreshold(config.weight_threshold);
}

Status CheckOp(const std::optional<OpConfig>& config) {
  if (!config) return {};
  return std::visit([](const auto& chosen) { return Check(chosen); }, *config);
}

Status CheckStep(const WeightStep& step) {
  ANEMONE_TRY(CheckOp(step.global_config).At("global_config"));
  for (const auto& [type, config] : step.op_type_configs) {
    const std::string place = fmt::format("op_type_configs '{}'", type);
    ANEMONE_TRY(CheckOp(config).At(place));
    if (type == "const")
      return Usage("constants have no settings by type").Advise("use global_config").At(place);
    if (!config || type == "conv" || type == "linear") continue;
    const auto* magnitude = std::get_if<MagnitudeConfig>(&*config);
    if (magnitude != nullptr && (magnitude->block_size || magnitude->n_m_ratio)) {
      return Usage("block sparsity and n:m pruning are for conv and linear only").At(place);
    }
  }
  for (const auto& [name, config] : step.op_name_configs)
    ANEMONE_TRY(CheckOp(config).At(fmt::format("op_name_configs '{}'", name)));
  return {};
}

Status CheckActivation(const std::optional<ActivationConfig>& config) {
  if (!config || config->dtype == DType::kInt8 || config->dtype == DType::kUInt8) return {};
  return Usage("{} is no dtype of activations", DTypeName(config->dtype))
      .Advise("choose int8 or uint8");
}

template <typename Predicate>
bool AnyConfig(const WeightStep& step, Predicate predicate) {
  const auto holds = [&](const std::optional<OpConfig>& config) {
    return config && predicate(*config);
  };
  if (holds(step.global_config)) return true;
  for (const auto& [key, config] : step.op_type_configs)
    if (holds(config)) return true;
  for (const auto& [key, config] : step.op_name_configs)
    if (holds(config)) return true;
  return false;
}

}  // namespace

std::string_view GranularityName(Granularity granularity) {
  switch (granularity) {
    case Granularity::kPerTensor:
      return "per_tensor";
    case Granularity::kPerChannel:
      return "per_channel";
    case Granularity::kPerGroupedChannel:
      return "per_grouped_channel";
    case Granularity::kPerBlock:
      return "per_block";
  }
  return "";
}

int64_t WeightThreshold(const OpConfig& config) {
  return std::visit([](const auto& chosen) { return chosen.weight_threshold; }, config);
}

Status Check(const Configuration& configuration) {
  for (size_t i = 0; i < configuration.weights.size(); ++i) {
    Status status = CheckStep(configuration.weights[i]);
    if (configuration.weights.size() > 1)
      status = std::move(status).At(fmt::format("step {}", i + 1));
    ANEMONE_TRY(std::move(status));
  }
  if (configuration.activations) {
    const ActivationStep& step = *configuration.activations;
    ANEMONE_TRY(CheckActivation(step.global_config).At("activations"));
    for (const auto& [key, config] : step.op_type_configs)
      ANEMONE_TRY(CheckActivation(config).At(fmt::format("activations of '{}'", key)));
    for (const auto& [key, config] : step.op_name_configs)
      ANEMONE_TRY(CheckActivation(config).At(fmt::format("activations of '{}'", key)));
    if (!(step.percentile > 50 && step.percentile <= 100))
      return Usage("percentile is {}", step.percentile).Advise("above 50, at most 100");
  }
  return {};
}

bool NeedsData(const OpConfig& config) {
  if (const auto* linear = std::get_if<LinearConfig>(&config))
    return linear->rounding != Rounding::kNearest;
  if (const auto* palette = std::get_if<PaletteConfig>(&config)) return palette->sensitivity;
  return false;
}

bool NeedsData(const Configuration& configuration) {
  return configuration.activations || WeightsNeedData(configuration);
}

bool WeightsNeedData(const Configuration& configuration) {
  if (configuration.correct_bias) return true;
  return std::ranges::any_of(configuration.weights, [](const WeightStep& step) {
    return AnyConfig(step, [](const OpConfig& config) { return NeedsData(config); });
  });
}

}  // namespace anemone::compress
