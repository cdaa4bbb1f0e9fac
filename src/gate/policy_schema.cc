#include "gate/policy_schema.h"

#include "base/compute_unit.h"
#include "gate/checks.h"
#include "gate/policy.h"

namespace anemone::gate {
namespace {

// A property for each limit, with its range and its default.
class SchemaWriter : public LimitVisitor {
 public:
  Json TakeProperties() { return std::move(properties_); }

  void Flag(std::string_view key, bool& value) override {
    properties_[key] = {{"type", "boolean"}, {"default", value}};
  }
  void Count(std::string_view key, int64_t& value, int64_t low, int64_t high) override {
    properties_[key] = {
        {"type", "integer"}, {"minimum", low}, {"maximum", high}, {"default", value}};
  }
  void Number(std::string_view key, double& value, double low, double high) override {
    properties_[key] = {
        {"type", "number"}, {"minimum", low}, {"maximum", high}, {"default", value}};
  }
  void Choice(std::string_view key, std::string& value,
              std::span<const std::string_view> choices) override {
    properties_[key] = {{"enum", Json::List(choices.begin(), choices.end())}, {"default", value}};
  }
  void Texts(std::string_view key, std::vector<std::string>& value) override {
    properties_[key] = {
        {"type", "array"}, {"items", {{"type", "string"}}}, {"default", Json(value)}};
  }
  void ByPrecision(std::string_view key, LimitsByPrecision& value) override {
    Json precisions = Json::Object();
    for (const auto& [precision, limits] : value) {
      precisions[precision] = Closed({{"l_inf", Error(limits.linf)}, {"rmse", Error(limits.rmse)}});
    }
    properties_[key] = Closed(std::move(precisions));
  }

  // An object of these properties and no others.
  static Json Closed(Json properties) {
    return {
        {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  }

 private:
  static Json Error(double value) {
    return {{"type", "number"}, {"minimum", 0}, {"maximum", kLargestError}, {"default", value}};
  }

  Json properties_ = Json::Object();
};

Json CheckSchema(const Check& check) {
  SchemaWriter writer;
  const std::unique_ptr<CheckPolicy> limits = check.defaults();
  Json properties{{"required", {{"type", "boolean"}, {"default", limits->required}}}};
  limits->Visit(writer);
  properties.Update(writer.TakeProperties());
  Json schema = SchemaWriter::Closed(std::move(properties));
  schema["title"] = check.title;
  schema["description"] = fmt::format("Passes when {}.", check.passes_when);
  return schema;
}

Json SideSchema(bool with_units) {
  Json properties{{"backend", {{"type", "string"}}}};
  if (with_units) {
    Json units = Json::Array();
    for (const ComputeUnits each : {ComputeUnits::kAll, ComputeUnits::kCpuOnly,
                                    ComputeUnits::kCpuAndGpu, ComputeUnits::kCpuAndNe}) {
      units.push_back(ComputeUnitsName(each));
    }
    properties["compute_units"] = {{"enum", std::move(units)}, {"default", "all"}};
  }
  Json schema = SchemaWriter::Closed(std::move(properties));
  schema["required"] = Json::Array({"backend"});
  return schema;
}

}  // namespace

Json PolicySchema() {
  SchemaWriter run;
  RunPolicy().Visit(run);
  Json checks = Json::Object();
  for (const Check& check : Checks()) checks[check.key] = CheckSchema(check);
  checks = SchemaWriter::Closed(std::move(checks));
  checks["minProperties"] = 1;

  Json baseline = SideSchema(false);
  baseline["type"] = Json::Array({"object", "null"});
  const Json percentile{{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 100}};
  Json properties{{"schema", {{"const", kPolicySchema}}},
                  {"schema_version", {{"const", kPolicySchemaVersion}}},
                  {"name", {{"type", "string"}}},
                  {"description", {{"type", "string"}}},
                  {"subject", SideSchema(true)},
                  {"baseline", std::move(baseline)},
                  {"devices", {{"type", "array"}, {"items", {{"type", "string"}}}}},
                  {"percentiles", {{"type", "array"}, {"items", percentile}, {"minItems", 1}}},
                  {"run", SchemaWriter::Closed(run.TakeProperties())},
                  {"checks", std::move(checks)}};
  Json schema{
      {"$schema", kJsonSchemaDialect},
      {"$id", kPolicySchema},
      {"title", "A gate's policy"},
      {"description",
       "Rules across keys (a baseline where a check compares with one, a longest run that is "
       "not below the shortest) are checked by the reader."}};
  schema.Update(SchemaWriter::Closed(std::move(properties)));
  schema["required"] = Json::Array({"schema", "schema_version", "name", "checks"});
  return schema;
}

}  // namespace anemone::gate
