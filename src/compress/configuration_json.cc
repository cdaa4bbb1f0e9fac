#include "compress/configuration_json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "base/parse_double.h"
#include "compress/config_table.h"
#include "compress/methods.h"
#include "compress/yaml.h"

namespace anemone::compress {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSchema = "anemone.compress.configuration";

// Reads the members of one object; keeps the first problem, and rejects unknown members.
class Reader {
 public:
  Reader(const Json& json, std::string place) : json_(json), place_(std::move(place)) {
    if (!json.is_object()) Fail("", "it is not a mapping");
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
      return Fail(key, "is not a whole number");
    *value = static_cast<int64_t>(*number);
  }
  void Get(const char* key, double* value) {
    if (!Has(key)) return;
    const auto number = Number(json_[key]);
    if (!number) return Fail(key, "is not a number");
    *value = *number;
  }
  void Get(const char* key, bool* value) {
    if (!Has(key)) return;
    if (!json_[key].is_boolean()) return Fail(key, "is neither true nor false");
    *value = json_[key].get<bool>();
  }
  void Get(const char* key, Choice* choice) {
    if (!Has(key)) return;
    if (!json_[key].is_string()) return Fail(key, "is not text");
    std::string text = json_[key].get<std::string>();
    std::ranges::transform(text, text.begin(), [](unsigned char c) {
      return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    });
    std::string all;
    for (size_t i = 0; i < choice->names.size(); ++i) {
      if (text == choice->names[i]) return choice->set(i);
      all += (all.empty() ? "" : ", ") + std::string(choice->names[i]);
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
  void Get(const char* key, std::optional<std::pair<int64_t, int64_t>>* ratio) {
    if (!Has(key) || json_[key].is_null()) return;
    const Json& json = json_[key];
    if (!json.is_array() || json.size() != 2 || !json[0].is_number_integer() ||
        !json[1].is_number_integer()) {
      return Fail(key, "is not a list of two whole numbers");
    }
    *ratio = {json[0].get<int64_t>(), json[1].get<int64_t>()};
  }
  void Get(const char* key, SizeOrSizes* field) {
    if (!Has(key) || !json_[key].is_array()) return Get(key, field->size);
    for (const Json& size : json_[key]) {
      if (size.is_number_integer()) {
        field->sizes->push_back(size.get<int64_t>());
      } else {
        Fail(key, "holds a value that is not a whole number");
      }
    }
  }
  void Get(const char* key, Ignored*) {
    int64_t number = 0;
    Get(key, &number);
  }
  void Get(const ConfigTable& table) {
    for (const ConfigField& row : table) {
      if (row.null_is_default && IsNull(row.key)) continue;
      std::visit(
          [&](auto field) {
            if constexpr (std::is_pointer_v<decltype(field)>) {
              Get(row.key, field);
            } else {
              Get(row.key, &field);
            }
          },
          row.field);
    }
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
  // Also as text, which coremltools accepts too.
  static std::optional<double> Number(const Json& json) {
    if (json.is_number()) return json.get<double>();
    if (!json.is_string()) return std::nullopt;
    const auto text = json.get<std::string>();
    return ParseDouble(text);
  }

  const Json& json_;
  std::string place_;
  std::vector<std::string> known_;
  Status status_;
};

Result<std::optional<OpConfig>> ReadOp(const Json& json, std::string type,
                                       const std::string& place) {
  if (json.is_null()) return std::optional<OpConfig>();
  if (json.is_object() && json.contains("config_type")) {
    if (!json["config_type"].is_string()) return Usage("'config_type' is not text").At(place);
    type = json["config_type"].get<std::string>();
  }
  std::string all;
  for (const Method* method : Methods()) {
    if (type == method->config_type()) {
      OpConfig config = method->Default();
      Reader reader(json, place);
      reader.Has("config_type");
      reader.Get(method->FieldsOf(config));
      ANEMONE_TRY(reader.Done());
      return std::optional<OpConfig>(std::move(config));
    }
    all += (all.empty() ? "" : ", ") + std::string(method->config_type());
  }
  return Usage("'{}' is not a config_type", type).Advise("choose one of " + all).At(place);
}

// Reads one mapping of names to settings with `read(json, place)`.
template <typename T, typename Read>
Status ReadMap(Reader& reader, const char* key, std::map<std::string, std::optional<T>>* out,
               Read&& read) {
  if (!reader.Has(key) || reader.At(key).is_null()) return {};
  if (!reader.At(key).is_object()) return Usage("'{}' is not a mapping", key);
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
      reader.Fail("config_type", "is not text");
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

ConfigTable FieldsOf(ActivationConfig& config) {
  return {{.key = "mode", .field = LinearModeChoice(&config.mode)},
          {.key = "dtype", .field = QuantizedDTypeChoice(&config.dtype)}};
}
ConfigTable FieldsOf(ActivationStep& step) {
  return {{.key = "observer", .field = ObserverChoice(&step.observer)},
          {.key = "percentile", .field = &step.percentile}};
}

Result<std::optional<ActivationConfig>> ReadActivation(const Json& json, const std::string& place) {
  if (json.is_null()) return std::optional<ActivationConfig>();
  ActivationConfig config;
  Reader reader(json, place);
  reader.Get(FieldsOf(config));
  ANEMONE_TRY(reader.Done());
  return std::optional<ActivationConfig>(config);
}

Result<ActivationStep> ReadActivations(const Json& json) {
  ActivationStep step;
  Reader reader(json, "activations");
  reader.Get(FieldsOf(step));
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
    if (!reader.At("steps").is_array()) return Usage("'steps' is not a list");
    for (const Json& item : reader.At("steps")) {
      const std::string place = fmt::format("step {}", configuration.weights.size() + 1);
      ANEMONE_ASSIGN(WeightStep step, ReadStep(item, place));
      configuration.weights.push_back(std::move(step));
    }
  }
  ANEMONE_TRY(reader.Done());
  return configuration;
}

// The value of a field; nullopt: it has none.
template <typename T>
std::optional<Json> ValueOf(const T* field) {
  return Json(*field);
}
template <typename T>
std::optional<Json> ValueOf(const std::optional<T>* field) {
  if (!*field) return std::nullopt;
  return Json(**field);
}
std::optional<Json> ValueOf(const Choice& choice) {
  const size_t at = choice.get();
  if (at == choice.names.size()) return std::nullopt;
  return Json(choice.names[at]);
}
std::optional<Json> ValueOf(const SizeOrSizes& field) {
  return field.sizes->empty() ? Json(*field.size) : Json(*field.sizes);
}
std::optional<Json> ValueOf(const Ignored&) { return std::nullopt; }

std::optional<Json> ValueOf(const ConfigField& row) {
  return std::visit([](const auto& field) { return ValueOf(field); }, row.field);
}

Json Write(ActivationConfig config) {
  Json json = Json::object();
  for (const ConfigField& row : FieldsOf(config)) json[row.key] = *ValueOf(row);
  return json;
}

Json Write(OpConfig config) {
  const Method& method = config.method();
  OpConfig standard = method.Default();
  const ConfigTable table = method.FieldsOf(config);
  const ConfigTable defaults = method.FieldsOf(standard);
  Json json{{"config_type", method.config_type()}};
  for (size_t i = 0; i < table.size(); ++i) {
    const std::optional<Json> value = ValueOf(table[i]);
    if (!value || (table[i].unless_default && value == ValueOf(defaults[i]))) continue;
    json[table[i].key] = *value;
  }
  return json;
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
  // coremltools requires one; those of the settings themselves take precedence.
  json["config_type"] =
      step.global_config ? json["global_config"]["config_type"] : Json("OpLinearQuantizerConfig");
  if (step.joint_compression) json["joint_compression"] = true;
  return json;
}

Json Write(ActivationStep step) {
  Json json{{"global_config", WriteOptional(step.global_config)},
            {"op_type_configs", WriteMap(step.op_type_configs)},
            {"op_name_configs", WriteMap(step.op_name_configs)}};
  for (const ConfigField& row : FieldsOf(step)) json[row.key] = *ValueOf(row);
  return json;
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
    return Usage("it has {} bytes, more than a configuration may have", bytes.size()).At(path);
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
