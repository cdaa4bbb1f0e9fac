#include "compress/configuration.h"

#include <algorithm>

#include "compress/lowest_opset.h"
#include "compress/method.h"

namespace anemone::compress {
namespace {

Status CheckOp(const std::optional<OpConfig>& config) {
  if (!config) return {};
  ANEMONE_TRY(config->method().Check(*config));
  if (config->weight_threshold() >= 0) return {};
  return Usage("weight_threshold is {}", config->weight_threshold()).Advise("0 or more elements");
}

Status CheckStep(const WeightStep& step) {
  ANEMONE_TRY(CheckOp(step.global_config).At("global_config"));
  for (const auto& [type, config] : step.op_type_configs) {
    const std::string place = fmt::format("op_type_configs '{}'", type);
    ANEMONE_TRY(CheckOp(config).At(place));
    if (type == "const")
      return Usage("constants have no settings by type").Advise("use global_config").At(place);
    if (!config || type == "conv" || type == "linear") continue;
    const std::string_view restricted = config->method().ForConvAndLinearOnly(*config);
    if (!restricted.empty()) return Usage("{} are for conv and linear only", restricted).At(place);
  }
  for (const auto& [name, config] : step.op_name_configs)
    ANEMONE_TRY(CheckOp(config).At(fmt::format("op_name_configs '{}'", name)));
  return {};
}

Status CheckActivation(const std::optional<ActivationConfig>& config) {
  if (!config || config->dtype == DType::kInt8 || config->dtype == DType::kUInt8) return {};
  return Usage("{} is not a dtype of activations", DTypeName(config->dtype))
      .Advise("choose int8 or uint8");
}

}  // namespace

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
  return config.method().DataNeedOf(config) != DataNeed::kNothing;
}

namespace {

// Calls visit(config) for each setting of weights.
template <typename Visit>
void ForEachWeightConfig(const Configuration& configuration, const Visit& visit) {
  const auto each = [&](const std::optional<OpConfig>& config) {
    if (config) visit(*config);
  };
  for (const WeightStep& step : configuration.weights) {
    each(step.global_config);
    for (const auto& [type, config] : step.op_type_configs) each(config);
    for (const auto& [name, config] : step.op_name_configs) each(config);
  }
}

}  // namespace

ir::Opset LowestOpset(const Configuration& configuration) {
  ir::Opset lowest = configuration.activations ? kActivationsOpset : ir::Opset::kIOS15;
  ForEachWeightConfig(configuration, [&](const OpConfig& config) {
    lowest = std::max(lowest, config.method().NeedOf(config).opset);
  });
  return lowest;
}

DataNeed DataNeedOf(const Configuration& configuration) {
  DataNeed need = DataNeed::kNothing;
  ForEachWeightConfig(configuration, [&](const OpConfig& config) {
    need = std::max(need, config.method().DataNeedOf(config));
  });
  return need;
}

bool WeightsNeedData(const Configuration& configuration) {
  return configuration.correct_bias || DataNeedOf(configuration) != DataNeed::kNothing;
}

bool NeedsData(const Configuration& configuration) {
  return configuration.activations || WeightsNeedData(configuration);
}

}  // namespace anemone::compress
