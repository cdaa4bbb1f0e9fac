#include "compress/configuration_json.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "base/json_reader.h"
#include "base/mapped_file.h"
#include "compress/config_table.h"
#include "compress/methods.h"
#include "compress/yaml.h"

namespace anemone::compress {
namespace {

// coremltools takes numbers as text, too, and names in any letter case.
constexpr JsonReading kReading{.loose_values = true};

// One key of a table into its field, by the field's type.
struct Take {
  JsonObject& object;
  const char* key;

  void operator()(int* value) const {
    object.Get(key, value, kLeastConfigInteger, kLargestConfigInteger);
  }
  void operator()(std::optional<int>* value) const {
    object.Get(key, value, kLeastConfigInteger, kLargestConfigInteger);
  }
  template <typename Value>
  void operator()(Value* value) const {
    object.Get(key, value);
  }
  void operator()(std::optional<std::pair<int64_t, int64_t>>* ratio) const {
    if (!object.HasValue(key)) return;
    const Json& json = *object.Find(key);
    if (json.size() != 2 || !json[0].is_integer() || !json[1].is_integer())
      return object.Fail(key, "must be a list of two whole numbers", json);
    *ratio = {json[0].integer(), json[1].integer()};
  }
  void operator()(const Choice& choice) const {
    size_t chosen = 0;
    if (object.Choose(key, choice.names, &chosen)) choice.set(chosen);
  }
  void operator()(const SizeOrSizes& field) const {
    const Json* json = object.Find(key);
    if (json == nullptr || !json->is_array()) {
      object.Get(key, field.size);
      return;
    }
    if (!std::ranges::all_of(*json, &Json::is_integer))
      return object.Fail(key, "must hold whole numbers", *json);
    for (const Json& size : *json) field.sizes->push_back(size.integer());
  }
  void operator()(const Ignored&) const {
    int64_t number = 0;
    object.Get(key, &number);
  }
};

void ReadFields(JsonObject& object, const ConfigTable& table) {
  for (const ConfigField& row : table) {
    if (row.null_is_default && object.Has(row.key) && !object.HasValue(row.key)) continue;
    std::visit(Take{object, row.key}, row.field);
  }
}

// The method of that type; null, and said at `where`, when there is none.
const Method* MethodOf(JsonObject& step, const std::string& where, const std::string& type) {
  if (const Method* found = FindMethod(type)) return found;
  std::vector<std::string_view> names;
  for (const Method* method : Methods()) names.push_back(method->config_type());
  step.Fail(where, fmt::format("must be a config_type ({})", fmt::join(names, ", ")), Json(type));
  return nullptr;
}

// The setting at `where` of a step; `type` is the step's, where it does not say its own.
std::optional<OpConfig> ReadOp(JsonObject& step, const std::string& where, const Json& json,
                               std::string type) {
  if (json.is_null()) return std::nullopt;
  const bool own = json["config_type"].is_text();
  if (own) type = json["config_type"].text();
  // That of the step is said once, there.
  const Method* found = own ? MethodOf(step, where + ".config_type", type) : FindMethod(type);
  if (found == nullptr) return std::nullopt;
  OpConfig config = found->Default();
  JsonObject object(json, step.PathOf(where), step);
  object.Get("config_type", &type);
  ReadFields(object, found->FieldsOf(config));
  return config;
}

// A mapping of names to settings, each by `read(where, json)`.
template <typename Settings, typename Read>
void ReadMap(JsonObject& object, std::string_view key, Settings* settings, const Read& read) {
  if (!object.HasValue(key)) return;
  const Json* map = object.Map(key);
  if (map == nullptr) return;
  for (const auto& [name, json] : map->items())
    (*settings)[name] = read(fmt::format("{}.{}", key, name), json);
}

WeightStep ReadStep(JsonObject& object) {
  WeightStep step;
  std::string type;
  if (object.Require("config_type", &type)) MethodOf(object, "config_type", type);
  const auto read = [&](const std::string& where, const Json& json) {
    return ReadOp(object, where, json, type);
  };
  if (const Json* global = object.Find("global_config"))
    step.global_config = read("global_config", *global);
  ReadMap(object, "op_type_configs", &step.op_type_configs, read);
  ReadMap(object, "op_name_configs", &step.op_name_configs, read);
  object.Get("joint_compression", &step.joint_compression);
  return step;
}

ActivationStep ReadActivations(JsonObject& object) {
  ActivationStep step;
  ReadFields(object, FieldsOf(step));
  const auto read = [&](const std::string& where,
                        const Json& json) -> std::optional<ActivationConfig> {
    if (json.is_null()) return std::nullopt;
    ActivationConfig config;
    JsonObject inner(json, object.PathOf(where), object);
    ReadFields(inner, FieldsOf(config));
    return config;
  };
  if (const Json* global = object.Find("global_config"))
    step.global_config = read("global_config", *global);
  ReadMap(object, "op_type_configs", &step.op_type_configs, read);
  ReadMap(object, "op_name_configs", &step.op_name_configs, read);
  return step;
}

// Our own document.
void ReadSteps(JsonObject& object, Configuration* configuration) {
  size_t schema = 0;
  object.Choose("schema", std::span(&kConfigurationSchema, 1), &schema);
  int64_t version = 0;
  object.Require("schema_version", &version, int64_t{1}, int64_t{1});
  object.Get("equalize", &configuration->equalize);
  object.Get("correct_bias", &configuration->correct_bias);
  if (object.HasValue("activations")) {
    JsonObject activations = object.Object("activations");
    configuration->activations = ReadActivations(activations);
  }
  const Json* steps = object.Array("steps");
  if (steps == nullptr) return;
  for (const Json& json : *steps) {
    JsonObject step(json, object.PathOf(fmt::format("steps[{}]", configuration->weights.size())),
                    object);
    configuration->weights.push_back(ReadStep(step));
  }
}

Result<Configuration> ReadDocument(Json json) {
  const bool ours = json.contains("schema");
  JsonDocument document = JsonDocument::Of(std::move(json), "a configuration", kReading);
  Configuration configuration;
  {
    JsonObject object = document.root();
    if (ours) {
      ReadSteps(object, &configuration);
    } else {
      configuration.weights.push_back(ReadStep(object));
    }
  }
  ANEMONE_TRY(document.status(ErrorCode::kUsage));
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
std::optional<Json> ValueOf(const std::optional<std::pair<int64_t, int64_t>>* field) {
  if (!*field) return std::nullopt;
  return Json::Array({(*field)->first, (*field)->second});
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
  Json json = Json::Object();
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
  return config ? Write(*config) : Json();
}
template <typename T>
Json WriteMap(const std::map<std::string, std::optional<T>>& configs) {
  Json json = Json::Object();
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
  ANEMONE_ASSIGN(Json json, ParseYaml(text));
  ANEMONE_ASSIGN(Configuration configuration, ReadDocument(std::move(json)));
  ANEMONE_TRY(Check(configuration));
  return configuration;
}

Result<Configuration> ReadConfiguration(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  constexpr size_t kMaxBytes = size_t{16} << 20;
  if (bytes.size() > kMaxBytes)
    return Usage("it has {} bytes, more than a configuration may have", bytes.size()).At(path);
  return ParseConfiguration(bytes.text()).At(path);
}

std::string ConfigurationJson(const Configuration& configuration) {
  Json json{{"schema", kConfigurationSchema}, {"schema_version", 1}};
  if (configuration.equalize) json["equalize"] = true;
  if (configuration.correct_bias) json["correct_bias"] = true;
  if (configuration.activations) json["activations"] = Write(*configuration.activations);
  Json steps = Json::Array();
  for (const WeightStep& step : configuration.weights) steps.push_back(Write(step));
  json["steps"] = std::move(steps);
  return json.Dump({.indent = 2, .sort_keys = true});
}

}  // namespace anemone::compress
