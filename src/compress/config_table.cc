#include "compress/config_table.h"

namespace anemone::compress {

void Choose(const Choice& choice, std::string_view name) {
  for (size_t i = 0; i < choice.names.size(); ++i)
    if (choice.names[i] == name) return choice.set(i);
}

Choice LinearModeChoice(LinearMode* mode) {
  return ChoiceOf(
      mode, {{"linear_symmetric", LinearMode::kSymmetric}, {"linear", LinearMode::kAsymmetric}});
}

Choice QuantizedDTypeChoice(DType* dtype) {
  return ChoiceOf(dtype, {{"int8", DType::kInt8},
                          {"uint8", DType::kUInt8},
                          {"int4", DType::kInt4},
                          {"uint4", DType::kUInt4}});
}

Choice GranularityChoice(Granularity* granularity) {
  std::vector<std::pair<std::string_view, Granularity>> named;
  for (const Granularity each : {Granularity::kPerTensor, Granularity::kPerChannel,
                                 Granularity::kPerGroupedChannel, Granularity::kPerBlock}) {
    named.emplace_back(GranularityName(each), each);
  }
  return ChoiceOf(granularity, std::move(named));
}

Choice ObserverChoice(Observer* observer) {
  return ChoiceOf(observer, {{"min_max", Observer::kMinMax},
                             {"percentile", Observer::kPercentile},
                             {"mse", Observer::kMse},
                             {"entropy", Observer::kEntropy}});
}

ConfigTable FieldsOf(ActivationConfig& config) {
  return {{.key = "mode", .field = LinearModeChoice(&config.mode)},
          {.key = "dtype", .field = QuantizedDTypeChoice(&config.dtype)}};
}
ConfigTable FieldsOf(ActivationStep& step) {
  return {{.key = "observer", .field = ObserverChoice(&step.observer)},
          {.key = "percentile", .field = &step.percentile}};
}

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

}  // namespace anemone::compress
