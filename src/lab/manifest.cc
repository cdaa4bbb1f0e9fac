#include "lab/manifest.h"

#include <algorithm>
#include <cmath>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "lab/parity_json.h"

namespace anemone::lab {
namespace {

constexpr int kManifestVersion = 1;
constexpr std::string_view kManifestSchema = "anemone.manifest";
constexpr size_t kMaxManifestBytes = size_t{16} << 20;

Json ValueOf(const std::optional<Estimate>& estimate) {
  return estimate ? FiniteOrNull(estimate->value) : Json(nullptr);
}

Json Source(const std::optional<Estimate>& estimate) {
  if (!estimate) return {{"source", "unknown"}};
  return {{"source", "estimated"},
          {"low", FiniteOrNull(estimate->low)},
          {"high", FiniteOrNull(estimate->high)}};
}

Json ToJsonObject(const OutputParity& output) {
  Json json;
  json["output"] = output.output;
  json.Update(ParityJson(output.parity));
  json["judged"] = output.judged.relative ? "relative" : "absolute";
  json["limit_l_inf"] = output.limits.linf;
  json["limit_rmse"] = output.limits.rmse;
  json["passed"] = output.judged.passed;
  return json;
}

// The output that the flat keys describe: a distribution if there is one, else the first.
const OutputParity* Headline(const Manifest& manifest) {
  const auto found =
      std::find_if(manifest.outputs.begin(), manifest.outputs.end(),
                   [](const OutputParity& output) { return output.parity.distribution; });
  if (found != manifest.outputs.end()) return &*found;
  return manifest.outputs.empty() ? nullptr : &manifest.outputs[0];
}

Json TensorsJson(const Manifest& manifest) {
  Json tensors = Json::Array();
  for (const Manifest::Tensor& tensor : manifest.tensors) {
    Json row{{"name", tensor.name},
             {"bytes_before", tensor.bytes_before},
             {"bytes_after", tensor.bytes_after}};
    row["skipped"] = tensor.skipped.empty() ? Json(nullptr) : Json(tensor.skipped);
    tensors.push_back(std::move(row));
  }
  return tensors;
}

Result<std::optional<double>> ReadOptionalNumber(const Json& json, const char* key) {
  const Json* found = json.Find(key);
  if (found == nullptr) return InvalidInput("the key '{}' is missing", key);
  if (found->is_null()) return std::optional<double>();
  if (!found->is_number()) return InvalidInput("the key '{}' must be a number or null", key);
  const double value = found->number();
  if (!std::isfinite(value)) return InvalidInput("the key '{}' is not finite", key);
  return std::optional<double>(value);
}

Result<std::string> ReadString(const Json& json, const char* key) {
  const Json* found = json.Find(key);
  if (found == nullptr) return InvalidInput("the key '{}' is missing", key);
  if (!found->is_text()) return InvalidInput("the key '{}' must be a string", key);
  return found->text();
}

Result<ManifestKeys> ParseManifest(std::string_view text) {
  // The callback rejects deeply nested documents before they cost memory.
  const Json json = ParseJsonOrNull(text, {.max_depth = 32});
  if (!json.is_object()) return InvalidInput("this is not a JSON object");
  ANEMONE_ASSIGN(const std::string schema, ReadString(json, "schema"));
  if (schema != kManifestSchema)
    return InvalidInput("the schema is '{}', but '{}' is expected", schema, kManifestSchema);
  const Json* version = json.Find("schema_version");
  if (version == nullptr || !version->is_integer()) {
    return InvalidInput("the key 'schema_version' must be an integer");
  }
  if (version->integer() != kManifestVersion) {
    return Unsupported("schema version {} is unknown; this tool reads {}", version->integer(),
                       kManifestVersion);
  }
  ManifestKeys keys;
  ANEMONE_ASSIGN(keys.model, ReadString(json, "model"));
  ANEMONE_ASSIGN(keys.backend, ReadString(json, "backend"));
  ANEMONE_ASSIGN(keys.precision, ReadString(json, "precision"));
  ANEMONE_ASSIGN(keys.ane_op_coverage_pct, ReadOptionalNumber(json, "ane_op_coverage_pct"));
  ANEMONE_ASSIGN(keys.expected_speedup_m1, ReadOptionalNumber(json, "expected_speedup_m1"));
  ANEMONE_ASSIGN(keys.expected_speedup_m2, ReadOptionalNumber(json, "expected_speedup_m2"));
  ANEMONE_ASSIGN(keys.expected_speedup_m3, ReadOptionalNumber(json, "expected_speedup_m3"));
  ANEMONE_ASSIGN(keys.accuracy_delta_l_inf, ReadOptionalNumber(json, "accuracy_delta_l_inf"));
  ANEMONE_ASSIGN(keys.accuracy_delta_rmse, ReadOptionalNumber(json, "accuracy_delta_rmse"));
  if (json.contains("package") && json["package"].is_object() &&
      json["package"].contains("sha256")) {
    ANEMONE_ASSIGN(keys.package_sha256, ReadString(json["package"], "sha256"));
  }
  return keys;
}

}  // namespace

bool Manifest::passed() const {
  return std::all_of(outputs.begin(), outputs.end(),
                     [](const OutputParity& output) { return output.judged.passed; });
}

std::string ToJson(const Manifest& manifest) {
  const OutputParity* headline = Headline(manifest);
  Json json;
  json["schema"] = kManifestSchema;
  json["schema_version"] = kManifestVersion;
  json["model"] = manifest.model;
  json["backend"] = manifest.backend;
  json["precision"] = manifest.precision;
  json["ane_op_coverage_pct"] = ValueOf(manifest.ane_op_coverage_pct);
  json["expected_speedup_m1"] = ValueOf(manifest.expected_speedup_m1);
  json["expected_speedup_m2"] = ValueOf(manifest.expected_speedup_m2);
  json["expected_speedup_m3"] = ValueOf(manifest.expected_speedup_m3);
  json["accuracy_delta_l_inf"] =
      headline != nullptr ? FiniteOrNull(headline->parity.linf) : Json(nullptr);
  json["accuracy_delta_rmse"] =
      headline != nullptr ? FiniteOrNull(headline->parity.rmse) : Json(nullptr);
  Json sources;
  sources["ane_op_coverage_pct"] = Source(manifest.ane_op_coverage_pct);
  sources["expected_speedup_m1"] = Source(manifest.expected_speedup_m1);
  sources["expected_speedup_m2"] = Source(manifest.expected_speedup_m2);
  sources["expected_speedup_m3"] = Source(manifest.expected_speedup_m3);
  const Json accuracy = headline == nullptr ? Json{{"source", "unknown"}}
                                            : Json{{"source", "measured"},
                                                   {"output", headline->output},
                                                   {"on", manifest.parity_inputs}};
  sources["accuracy_delta_l_inf"] = accuracy;
  sources["accuracy_delta_rmse"] = accuracy;
  json["sources"] = std::move(sources);
  json["tool_version"] = manifest.tool_version;
  json["deployment_target"] = manifest.deployment_target;
  if (!manifest.raised_from.empty()) {
    json["deployment_target_raised_from"] = manifest.raised_from;
  }
  Json weights{{"source", manifest.weights_source}};
  for (const auto& [key, value] : manifest.weights) weights[key] = value;
  json["weights"] = std::move(weights);
  json["package"] = {{"sha256", manifest.package_sha256},
                     {"size_bytes", manifest.package_size_bytes},
                     {"weight_bytes", manifest.weight_bytes}};
  Json parity = Json::Array();
  for (const OutputParity& output : manifest.outputs) parity.push_back(ToJsonObject(output));
  json["parity"] = std::move(parity);
  // Without a comparison there is no verdict.
  json["passed"] = manifest.outputs.empty() ? Json(nullptr) : Json(manifest.passed());
  json["first_drift"] = manifest.first_drift.empty() ? Json(nullptr) : Json(manifest.first_drift);
  json["tensors"] = TensorsJson(manifest);
  return json.Dump({.indent = 2}) + "\n";
}

std::string ManifestPathOf(const std::string& package) {
  std::string stem = package;
  while (stem.size() > 1 && stem.back() == '/') stem.pop_back();
  constexpr std::string_view kEnding = ".mlpackage";
  if (stem.ends_with(kEnding)) stem.resize(stem.size() - kEnding.size());
  return stem + ".manifest.json";
}

Status WriteManifest(const Manifest& manifest, const std::string& path) {
  return WriteAtomically(path, ToJson(manifest));
}

Result<ManifestKeys> ReadManifest(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  if (bytes.size() > kMaxManifestBytes) {
    return InvalidInput("a manifest of {} bytes exceeds the limit of {}", bytes.size(),
                        kMaxManifestBytes)
        .At(path);
  }
  return ParseManifest(bytes.text()).At(path);
}

}  // namespace anemone::lab
