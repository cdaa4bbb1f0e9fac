#include "options/json_schema.h"

#include "options/json.h"

namespace anemone::options {
namespace {

// The values that options/json.cc takes into a field of each type.
struct SchemaOf {
  const Option& option;

  Json operator()(const bool*) const { return {{"type", "boolean"}}; }
  Json operator()(const int*) const { return OfInteger(); }
  Json operator()(const int64_t*) const { return OfInteger(); }
  Json operator()(const uint64_t*) const {
    Json schema = OfNumber("integer");
    if (!option.low) schema["minimum"] = 0;
    return schema;
  }
  Json operator()(const double*) const { return OfNumber("number"); }
  Json operator()(const std::optional<int64_t>*) const {
    return OfNumber(Json::Array({"integer", "null"}));
  }
  Json operator()(const std::optional<double>*) const {
    return OfNumber(Json::Array({"number", "null"}));
  }
  Json operator()(const std::string*) const {
    if (option.holds == Holds::kJsonObject) return {{"type", Json::Array({"object", "string"})}};
    return OfText(option.may_be_absent);
  }
  Json operator()(const std::vector<std::string>*) const {
    return {{"anyOf", Json::Array({OfText(false), {{"type", "array"}, {"items", OfText(false)}}})}};
  }
  Json operator()(const std::vector<double>*) const {
    const Json number = OfNumber("number");
    return {{"anyOf", Json::Array({number, {{"type", "array"}, {"items", number}}})}};
  }
  Json operator()(const std::array<float, 3>* values) const {
    return {{"type", "array"},
            {"items", OfNumber("number")},
            {"minItems", values->size()},
            {"maxItems", values->size()}};
  }
  Json operator()(const Shapes*) const {
    const Json sizes{{"type", "array"}, {"items", {{"type", Json::Array({"integer", "string"})}}}};
    return {{"type", "object"},
            {"additionalProperties", {{"anyOf", Json::Array({{{"type", "string"}}, sizes})}}}};
  }

 private:
  Json OfText(bool may_be_empty) const {
    Json schema{{"type", "string"}};
    // Letter case is beyond a schema: where it does not count, the names are examples.
    if (option.choices.empty()) return schema;
    Json names(option.choices);
    if (may_be_empty) names.push_back("");
    schema[option.ignore_case ? "examples" : "enum"] = std::move(names);
    return schema;
  }
  Json OfInteger() const {
    if (option.choices.empty()) return OfNumber("integer");
    Json numbers = Json::Array();
    for (const std::string_view choice : option.choices) numbers.push_back(ParseJsonOrNull(choice));
    if (option.may_be_absent) numbers.push_back(0);
    return {{"enum", std::move(numbers)}};
  }
  Json OfNumber(Json type) const {
    Json schema{{"type", std::move(type)}};
    if (option.low) schema["minimum"] = *option.low;
    if (option.above) schema["exclusiveMinimum"] = *option.above;
    if (option.high) schema["maximum"] = *option.high;
    return schema;
  }
};

Json TableSchema(const Table& table) {
  Json properties = Json::Object();
  for (const Option& option : table) {
    Json schema = std::visit(SchemaOf{option}, option.field);
    schema["description"] = option.help;
    schema["default"] = JsonOf(option);
    properties[option.name] = std::move(schema);
  }
  return {
      {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
}

}  // namespace

Json OptionsSchema() {
  Json tables = Json::Object();
  ForEachTable([&](std::string_view name, const Table& table) {
    tables[name] = TableSchema(table);
    tables[name]["title"] = name;
  });
  return {{"$schema", kJsonSchemaDialect},
          {"$id", "anemone.options"},
          {"title", "Options as JSON objects, as the C interface takes them"},
          {"description", "Each table of options is a definition, such as #/$defs/convert."},
          {"$defs", std::move(tables)}};
}

}  // namespace anemone::options
