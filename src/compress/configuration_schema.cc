#include "compress/configuration_schema.h"

#include "compress/config_table.h"
#include "compress/configuration_json.h"
#include "compress/methods.h"

namespace anemone::compress {
namespace {

// An object of these properties and no others.
Json Closed(Json properties) {
  return {
      {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
}

// The values that configuration_json.cc takes into a field of each type, with the default.
struct SchemaOf {
  Json operator()(const bool* value) const { return {{"type", "boolean"}, {"default", *value}}; }
  Json operator()(const int* value) const { return Integer(*value); }
  Json operator()(const int64_t* value) const { return {{"type", "integer"}, {"default", *value}}; }
  Json operator()(const double* value) const { return {{"type", "number"}, {"default", *value}}; }
  Json operator()(const std::optional<int>* value) const { return OrNothing(Integer(0), *value); }
  Json operator()(const std::optional<int64_t>* value) const {
    return OrNothing({{"type", "integer"}}, *value);
  }
  Json operator()(const std::optional<double>* value) const {
    return OrNothing({{"type", "number"}}, *value);
  }
  Json operator()(const std::optional<std::pair<int64_t, int64_t>>*) const {
    return {{"type", Json::Array({"array", "null"})},
            {"items", {{"type", "integer"}}},
            {"minItems", 2},
            {"maxItems", 2}};
  }
  Json operator()(const Choice& choice) const {
    Json schema{{"enum", Json(choice.names)}};
    const size_t at = choice.get();
    if (at < choice.names.size()) schema["default"] = choice.names[at];
    return schema;
  }
  Json operator()(const SizeOrSizes& field) const {
    const Json size{{"type", "integer"}};
    return {{"anyOf", Json::Array({size, {{"type", "array"}, {"items", size}}})},
            {"default", *field.size}};
  }
  Json operator()(const Ignored&) const {
    return {{"type", "integer"}, {"description", "Read, but without effect."}};
  }

 private:
  static Json Integer(int value) {
    return {{"type", "integer"},
            {"minimum", kLeastConfigInteger},
            {"maximum", kLargestConfigInteger},
            {"default", value}};
  }
  template <typename Value>
  static Json OrNothing(Json schema, const std::optional<Value>& value) {
    schema["type"] = Json::Array({schema["type"], "null"});
    schema["default"] = OrNull(value);
    return schema;
  }
};

Json Properties(const ConfigTable& table) {
  Json properties = Json::Object();
  for (const ConfigField& row : table) {
    Json schema = std::visit(SchemaOf(), row.field);
    if (row.null_is_default) schema = {{"anyOf", Json::Array({schema, {{"type", "null"}}})}};
    properties[row.key] = std::move(schema);
  }
  return properties;
}

Json Reference(std::string_view name) { return {{"$ref", fmt::format("#/$defs/{}", name)}}; }

// The settings of a step: for all operators, by type and by name. Null leaves operators as they are.
Json SettingsProperties(const Json& setting) {
  const Json map{{"type", Json::Array({"object", "null"})}, {"additionalProperties", setting}};
  return {{"global_config", setting}, {"op_type_configs", map}, {"op_name_configs", map}};
}

Json StepSchema(const Json& config_types) {
  Json properties{{"config_type", {{"enum", config_types}}},
                  {"joint_compression", {{"type", "boolean"}, {"default", false}}}};
  properties.Update(SettingsProperties(Reference("setting")));
  Json schema = Closed(std::move(properties));
  schema["title"] = "A configuration as coremltools writes it, and one step of ours";
  schema["required"] = Json::Array({"config_type"});
  return schema;
}

Json ActivationsSchema() {
  ActivationConfig config;
  ActivationStep step;
  const Json setting{
      {"anyOf", Json::Array({{{"type", "null"}}, Closed(Properties(FieldsOf(config)))})}};
  Json properties = Properties(FieldsOf(step));
  properties.Update(SettingsProperties(setting));
  return Closed(std::move(properties));
}

Json DocumentSchema() {
  Json schema = Closed(
      {{"schema", {{"const", kConfigurationSchema}}},
       {"schema_version", {{"const", 1}}},
       {"equalize", {{"type", "boolean"}, {"default", false}}},
       {"correct_bias", {{"type", "boolean"}, {"default", false}}},
       {"activations", {{"anyOf", Json::Array({Reference("activations"), {{"type", "null"}}})}}},
       {"steps", {{"type", "array"}, {"items", Reference("step")}}}});
  schema["title"] = "Anemone's own document, with several steps";
  schema["required"] = Json::Array({"schema", "schema_version"});
  return schema;
}

}  // namespace

Json ConfigurationSchema() {
  Json config_types = Json::Array();
  Json settings = Json::Array({{{"type", "null"}}});
  Json definitions = Json::Object();
  for (const Method* method : Methods()) {
    OpConfig config = method->Default();
    Json properties{{"config_type", {{"const", method->config_type()}}}};
    properties.Update(Properties(method->FieldsOf(config)));
    config_types.push_back(method->config_type());
    settings.push_back(Reference(method->config_type()));
    definitions[method->config_type()] = Closed(std::move(properties));
  }
  definitions["setting"] = {{"anyOf", std::move(settings)}};
  definitions["step"] = StepSchema(config_types);
  definitions["activations"] = ActivationsSchema();
  definitions["document"] = DocumentSchema();
  return {
      {"$schema", kJsonSchemaDialect},
      {"$id", kConfigurationSchema},
      {"title", "The configuration of a compression"},
      {"description",
       "JSON or YAML. As coremltools does, the reader also takes numbers as text and names in any "
       "letter case. A setting without config_type is of its step's; what else a method "
       "demands of its values is checked by the reader."},
      {"oneOf", Json::Array({Reference("step"), Reference("document")})},
      {"$defs", std::move(definitions)}};
}

}  // namespace anemone::compress
