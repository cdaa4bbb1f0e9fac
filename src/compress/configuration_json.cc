#include "compress/configuration_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "compress/yaml.h"

namespace anemone::compress {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSchema = "anemone.compress.configuration";

// A value with a name in texts.
template <typename T>
struct Named {
  std::string_view name;
  T value;
};
constexpr Named<LinearMode> kLinearModes[] = {{"linear_symmetric", LinearMode::kSymmetric},
                                              {"linear", LinearMode::kAsymmetric}};
constexpr Named<PaletteMode> kPaletteModes[] = {{"kmeans", PaletteMode::kKMeans},
                                                {"uniform", PaletteMode::kUniform},
                                                {"unique", PaletteMode::kUnique}};
constexpr Named<Granularity> kGranularities[] = {
    {"per_tensor", Granularity::kPerTensor},
    {"per_channel", Granularity::kPerChannel},
    {"per_grouped_channel", Granularity::kPerGroupedChannel},
    {"per_block", Granularity::kPerBlock}};
constexpr Named<Rounding> kRoundings[] = {
    {"nearest", Rounding::kNearest}, {"gptq", Rounding::kGptq}, {"adaround", Rounding::kAdaRound}};
constexpr Named<Observer> kObservers[] = {{"min_max", Observer::kMinMax},
                                          {"percentile", Observer::kPercentile},
                                          {"mse", Observer::kMse},
                                          {"entropy", Observer::kEntropy}};
constexpr Named<DType> kDTypes[] = {{"int8", DType::kInt8},
                                    {"uint8", DType::kUInt8},
                                    {"int4", DType::kInt4},
                                    {"uint4", DType::kUInt4}};

template <typename T, size_t kCount>
std::string NameOf(const Named<T> (&names)[kCount], T value) {
  for (const auto& row : names)
    if (row.value == value) return std::string(row.name);
  return "";
}

// Reads the members of one object; what is wrong first is kept, and what nobody asked for is wrong.
class Reader {
 public:
  Reader(const Json& json, std::string place) : json_(json), place_(std::move(place)) {
    if (!json.is_object()) Fail("", "it is no mapping");
  }

  bool Has(const char* key) {
    if (!status_.ok()) return false;
    if (std::ranges::find(known_, key) == known_.end()) known_.push_back(key);
    return json_.contains(key);
  }
  bool IsNull(const char* key) { return Has(key) && json_[key].is_null(); }
  const Json& At(const char* key) const { return json_[key]; }

  void Get(const char* key, int64_t* value) {
    if (!Has(key)) return;
    const auto number = Number(json_[key]);
    if (!number || *number != std::floor(*number) || std::abs(*number) > 1e15)
      return Fail(key, "is no whole number");
    *value = static_cast<int64_t>(*number);
  }
  void Get(const char* key, double* value) {
    if (!Has(key)) return;
    const auto number = Number(json_[key]);
    if (!number) return Fail(key, "is no number");
    *value = *number;
  }
  void Get(const char* key, bool* value) {
    if (!Has(key)) return;
    if (!json_[key].is_boolean()) return Fail(key, "is neither true nor false");
    *value = json_[key].get<bool>();
  }
  template <typename T, size_t kCount>
  void Get(const char* key, const Named<T> (&names)[kCount], T* value) {
    if (!Has(key)) return;
    if (!json_[key].is_string()) return Fail(key, "is no text");
    std::string text = json_[key].get<std::string>();
    std::ranges::transform(text, text.begin(), [](unsigned char c) {
      return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    });
    std::string all;
    for (const auto& row : names) {
      if (text == row.name) {
        *value = row.value;
        return;
      }
      all += (all.empty() ? "" : ", ") + std::string(row.name);
    }
    Fail(key, fmt::format("is '{}', not one of {}", text, all));
  }
  // Optional ones: null counts as absent.
  template <typename T>
  void Get(const char* key, std::optional<T>* value) {
    if (!Has(key) || json_[key].is_null()) return;
    T got{};
    Get(key, &got);
    if (status_.ok()) *value = got;
  }
  void Get(const char* key, int* value) {
    int64_t wide = *value;
    Get(key, &wide);
    if (wide < -1000 || wide > 1000) return Fail(key, "is out of range");
    *value = static_cast<int>(wide);
  }
  void Fail(const std::string& key, const std::string& what) {
    if (!status_.ok()) return;
    status_ = key.empty() ? Usage("{}", what) : Usage("'{}' {}", key, what);
    status_ = std::move(status_).At(place_);
  }

  Status Done() {
    if (!status_.ok()) return status_;
    for (const auto& [key, value] : json_.items()) {
      if (std::ranges::find(known_, key) != known_.end()) continue;
      std::string all;
      for (const std::string& known : known_) all += (all.empty() ? "" : ", ") + known;
      return Usage("unknown key '{}'", key).Advise("known here: " + all).At(place_);
    }
    return {};
  }

 private:
  // Also as text, as coremltools has it.
  static std::optional<double> Number(const Json& json) {
    if (json.is_number()) return json.get<double>();
    if (!json.is_string()) return std::nullopt;
    const auto text = json.get<std::string>();
    double number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool all = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
    return all && std::isfinite(number) ? std::optional(number) : std::nullopt;
  }

  const Json& json_;
  std::string place_;
  std::vector<std::string> known_;
  Status status_;
};

Result<OpConfig> ReadLinear(const Json& json, const std::string& place) {
  LinearConfig config;
  Reader reader(json, place);
  reader.Has("config_type");
  reader.Get("mode", kLinearModes, &config.mode);
  reader.Get("dtype", kDTypes, &config.dtype);
  reader.Get("granularity", kGranularities, &config.granularity);
  if (reader.Has("block_size") && reader.At("block_size").is_array()) {
    for (const Json& size : reader.At("block_size")) {
      if (size.is_number_integer()) {
        config.block_sizes.push_back(size.get<int64_t>());
      } else {
        reader.Fail("block_size", "holds something that is no whole number");
      }
    }
  } else {
    reader.Get("block_size", &config.block_size);
  }
  reader.Get("weight_threshold", &config.weight_threshold);
  reader.Get("rounding", kRoundings, &config.rounding);
  ANEMONE_TRY(reader.Done());
  return OpConfig(config);
}

Result<OpConfig> ReadPalette(const Json& json, const std::string& place) {
  PaletteConfig config;
  Reader reader(json, place);
  reader.Has("config_type");
  reader.Get("mode", kPaletteModes, &config.mode);
  if (!reader.IsNull("nbits")) reader.Get("nbits", &config.nbits);
  reader.Get("granularity", kGranularities, &config.granularity);
  reader.Get("group_size", &config.group_size);
  reader.Get("channel_axis", &config.channel_axis);
  reader.Get("cluster_dim", &config.cluster_dim);
  reader.Get("enable_per_channel_scale", &config.enable_per_channel_scale);
  int64_t workers = 1;  // how many of ours work is no matter of the result
  reader.Get("num_kmeans_workers", &workers);
  reader.Get("weight_threshold", &config.weight_threshold);
  if (!reader.IsNull("lut_dtype")) reader.Get("lut_dtype", kDTypes, &config.lut_dtype);
  reader.Get("sensitivity", &config.sensitivity);
  ANEMONE_TRY(reader.Done());
  return OpConfig(config);
}

Result<OpConfig> ReadThreshold(const Json& json, const std::string& place) {
  ThresholdConfig config;
  Reader reader(json, place);
  reader.Has("config_type");
  reader.Get("threshold", &config.threshold);
  reader.Get("minimum_sparsity_percentile", &config.minimum_sparsity_percentile);
  reader.Get("weight_threshold", &config.weight_threshold);
  ANEMONE_TRY(reader.Done());
  return OpConfig(config);
}

Result<OpConfig> ReadMagnitude(const Json& json, const std::string& place) {
  MagnitudeConfig config;
  Reader reader(json, place);
  reader.Has("config_type");
  reader.Get("target_sparsity", &config.target_sparsity);
  reader.Get("block_size", &config.block_size);
  if (reader.Has("n_m_ratio") && !reader.At("n_m_ratio").is_null()) {
    const Json& ratio = reader.At("n_m_ratio");
    if (ratio.is_array() && ratio.size() == 2 && ratio[0].is_number_integer() &&
        ratio[1].is_number_integer()) {
      config.n_m_ratio = {ratio[0].get<int64_t>(), ratio[1].get<int64_t>()};
    } else {
      reader.Fail("n_m_ratio", "is no list of two whole numbers");
    }
  }
  reader.Get("dim", &config.dim);
  reader.Get("weight_threshold", &config.weight_threshold);
  ANEMONE_TRY(reader.Done());
  return OpConfig(config);
}

struct Kind {
  std::string_view name;
  Result<OpConfig> (*read)(const Json&, const std::string&);
};
constexpr Kind kKinds[] = {{"OpLinearQuantizerConfig", ReadLinear},
                           {"OpPalettizerConfig", ReadPalette},
                           {"OpThresholdPrunerConfig", ReadThreshold},
                           {"OpMagnitudePrunerConfig", ReadMagnitude}};

Result<std::optional<OpConfig>> ReadOp(const Json& json, std::string type,
                                       const std::string& place) {
  if (json.is_null()) return std::optional<OpConfig>();
  if (json.is_object() && json.contains("config_type")) {
    if (!json["config_type"].is_string()) return Usage("'config_type' is no text").At(place);
    type = json["config_type"].get<std::string>();
  }
  std::string all;
  for (const Kind& kind : kKinds) {
    if (type == kind.name) {
      ANEMONE_ASSIGN(OpConfig config, kind.read(json, place));
      return std::optional<OpConfig>(std::move(config));
    }
    all += (all.empty() ? "" : ", ") + std::string(kind.name);
  }
  return Usage("there is no config_type '{}'", type).Advise("choose one of " + all).At(place);
}

// Reads one mapping of names to settings with `read(json, place)`.
template <typename T, typename Read>
Status ReadMap(Reader& reader, const char* key, std::map<std::string, std::optional<T>>* out,
               Read&& read) {
  if (!reader.Has(key) || reader.At(key).is_null()) return {};
  if (!reader.At(key).is_object()) return Usage("'{}' is no mapping", key);
  for (const auto& [name, value] : reader.At(key).items()) {
    ANEMONE_ASSIGN((*out)[name], read(value, fmt::format("{} '{}'", key, name)));
  }
  return {};
}

Result<WeightStep> ReadStep(const Json& json, const std::string& place) {
  WeightStep step;
  Reader reader(json, place);
  std::string type;
  if (reader.Has("config_type")) {
    if (reader.At("config_type").is_string()) {
      type = reader.At("config_type").get<std::string>();
    } else {
      reader.Fail("config_type", "is no text");
    }
  } else {
    reader.Fail("config_type", "is missing");
  }
  const auto read = [&](const Json& value, const std::string& where) {
    return ReadOp(value, type, where);
  };
  if (reader.Has("global_config")) {
    ANEMONE_ASSIGN(step.global_config, read(reader.At("global_config"), "global_config"));
  }
  ANEMONE_TRY(ReadMap(reader, "op_type_configs", &step.op_type_configs, read));
  ANEMONE_TRY(ReadMap(reader, "op_name_configs", &step.op_name_configs, read));
  reader.Get("joint_compression", &step.joint_compression);
  ANEMONE_TRY(reader.Done());
  return step;
}

Result<std::optional<ActivationConfig>> ReadActivation(const Json& json, const std::string& place) {
  if (json.is_null()) return std::optional<ActivationConfig>();
  ActivationConfig config;
  Reader reader(json, place);
  reader.Get("mode", kLinearModes, &config.mode);
  reader.Get("dtype", kDTypes, &config.dtype);
  ANEMONE_TRY(reader.Done());
  return std::optional<ActivationConfig>(config);
}

Result<ActivationStep> ReadActivations(const Json& json) {
  ActivationStep step;
  Reader reader(json, "activations");
  reader.Get("observer", kObservers, &step.observer);
  reader.Get("percentile", &step.percentile);
  if (reader.Has("global_config")) {
    ANEMONE_ASSIGN(step.global_config, ReadActivation(reader.At("global_config"), "activations"));
  }
  ANEMONE_TRY(ReadMap(reader, "op_type_configs", &step.op_type_configs, ReadActivation));
  ANEMONE_TRY(ReadMap(reader, "op_name_configs", &step.op_name_configs, ReadActivation));
  ANEMONE_TRY(reader.Done());
  return step;
}

Result<Configuration> ReadDocument(const Json& json) {
  Configuration configuration;
  if (!json.is_object() || !json.contains("schema")) {
    ANEMONE_ASSIGN(WeightStep step, ReadStep(json, ""));
    configuration.weights.push_back(std::move(step));
    return configuration;
  }
  if (json["schema"] != kSchema)
    return Usage("the schema is {}, not {}", json["schema"].dump(), kSchema);
  Reader reader(json, "");
  reader.Has("schema");
  int64_t version = 0;
  reader.Get("schema_version", &version);
  if (version != 1) return Usage("schema_version is {}, not 1", version);
  reader.Get("equalize", &configuration.equalize);
  reader.Get("correct_bias", &configuration.correct_bias);
  if (reader.Has("activations") && !reader.At("activations").is_null()) {
    ANEMONE_ASSIGN(configuration.activations, ReadActivations(reader.At("activations")));
  }
  if (reader.Has("steps")) {
    if (!reader.At("steps").is_array()) return Usage("'steps' is no list");
    for (const Json& item : reader.At("steps")) {
      const std::string place = fmt::format("step {}", configuration.weights.size() + 1);
      ANEMONE_ASSIGN(WeightStep step, ReadStep(item, place));
      configuration.weights.push_back(std::move(step));
    }
  }
  ANEMONE_TRY(reader.Done());
  return configuration;
}

Json Write(const LinearConfig& config) {
  Json json{{"config_type", "OpLinearQuantizerConfig"},
            {"mode", NameOf(kLinearModes, config.mode)},
            {"dtype", NameOf(kDTypes, config.dtype)},
            {"granularity", NameOf(kGranularities, config.granularity)},
            {"weight_threshold", config.weight_threshold}};
  json["block_size"] =
      config.block_sizes.empty() ? Json(config.block_size) : Json(config.block_sizes);
  if (config.rounding != Rounding::kNearest) json["rounding"] = NameOf(kRoundings, config.rounding);
  return json;
}

Json Write(const PaletteConfig& config) {
  Json json{{"config_type", "OpPalettizerConfig"},
            {"mode", NameOf(kPaletteModes, config.mode)},
            {"granularity", NameOf(kGranularities, config.granularity)},
            {"group_size", config.group_size},
            {"cluster_dim", config.cluster_dim},
            {"enable_per_channel_scale", config.enable_per_channel_scale},
            {"weight_threshold", config.weight_threshold}};
  if (config.nbits != 0) json["nbits"] = config.nbits;
  if (config.channel_axis) json["channel_axis"] = *config.channel_axis;
  if (config.lut_dtype != DType::kInvalid) json["lut_dtype"] = NameOf(kDTypes, config.lut_dtype);
  if (config.sensitivity) json["sensitivity"] = true;
  return json;
}

Json Write(const ThresholdConfig& config) {
  return {{"config_type", "OpThresholdPrunerConfig"},
          {"threshold", config.threshold},
          {"minimum_sparsity_percentile", config.minimum_sparsity_percentile},
          {"weight_threshold", config.weight_threshold}};
}

Json Write(const MagnitudeConfig& config) {
  Json json{{"config_type", "OpMagnitudePrunerConfig"},
            {"weight_threshold", config.weight_threshold}};
  if (config.target_sparsity) json["target_sparsity"] = *config.target_sparsity;
  if (config.block_size) json["block_size"] = *config.block_size;
  if (config.n_m_ratio) json["n_m_ratio"] = {config.n_m_ratio->first, config.n_m_ratio->second};
  if (config.dim) json["dim"] = *config.dim;
  return json;
}

Json Write(const ActivationConfig& config) {
  return {{"mode", NameOf(kLinearModes, config.mode)}, {"dtype", NameOf(kDTypes, config.dtype)}};
}

Json Write(const OpConfig& config) {
  return std::visit([](const auto& chosen) { return Write(chosen); }, config);
}

template <typename T>
Json WriteOptional(const std::optional<T>& config) {
  return config ? Write(*config) : Json(nullptr);
}
template <typename T>
Json WriteMap(const std::map<std::string, std::optional<T>>& configs) {
  Json json = Json::object();
  for (const auto& [name, config] : configs) json[name] = WriteOptional(config);
  return json;
}

Json Write(const WeightStep& step) {
  Json json{{"global_config", WriteOptional(step.global_config)},
            {"op_type_configs", WriteMap(step.op_type_configs)},
            {"op_name_configs", WriteMap(step.op_name_configs)}};
  // coremltools wants one; those of the settings themselves come first.
  json["config_type"] =
      step.global_config ? json["global_config"]["config_type"] : Json("OpLinearQuantizerConfig");
  if (step.joint_compression) json["joint_compression"] = true;
  return json;
}

Json Write(const ActivationStep& step) {
  return {{"observer", NameOf(kObservers, step.observer)},
          {"percentile", step.percentile},
          {"global_config", WriteOptional(step.global_config)},
          {"op_type_configs", WriteMap(step.op_type_configs)},
          {"op_name_configs", WriteMap(step.op_name_configs)}};
}

}  // namespace

Result<Configuration> ParseConfiguration(std::string_view text) {
  ANEMONE_ASSIGN(const Json json, ParseYaml(text));
  ANEMONE_ASSIGN(Configuration configuration, ReadDocument(json));
  ANEMONE_TRY(Check(configuration));
  return configuration;
}

Result<Configuration> ReadConfiguration(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  constexpr size_t kMaxBytes = size_t{16} << 20;
  if (bytes.size() > kMaxBytes)
    return Usage("it has {} bytes, more than a configuration can", bytes.size()).At(path);
  return ParseConfiguration({reinterpret_cast<const char*>(bytes.data()), bytes.size()}).At(path);
}

std::string ConfigurationJson(const Configuration& configuration) {
  Json json{{"schema", kSchema}, {"schema_version", 1}};
  if (configuration.equalize) json["equalize"] = true;
  if (configuration.correct_bias) json["correct_bias"] = true;
  if (configuration.activations) json["activations"] = Write(*configuration.activations);
  Json steps = Json::array();
  for (const WeightStep& step : configuration.weights) steps.push_back(Write(step));
  json["steps"] = std::move(steps);
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace anemone::compress
