#include "gate/policy.h"

#include "base/compute_unit.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "gate/checks.h"

namespace anemone::gate {

// Made by cmake/embed_json.cmake from gates/gate-c.json.
extern const char* const kGateCJson;
extern const size_t kGateCJsonSize;
extern const char* const kCiCpuJson;
extern const size_t kCiCpuJsonSize;
extern const char* const kModelsReadyJson;
extern const size_t kModelsReadyJsonSize;
extern const char* const kRuntimeReadyJson;
extern const size_t kRuntimeReadyJsonSize;

namespace {

constexpr std::string_view kSchemas[] = {kPolicySchema};
constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr JsonReading kReading{.max_depth = 16};

void ReadPercentiles(JsonObject& top, std::vector<double>& percentiles) {
  const Json* list = top.Find("percentiles");
  if (list == nullptr) return;
  const auto is_percentile = [](const Json& value) {
    return value.is_number() && value.number() > 0 && value.number() <= 100;
  };
  if (list->empty() || !std::ranges::all_of(*list, is_percentile) || !list->is_array()) {
    return top.Fail("percentiles", "must be a list of numbers above 0, at most 100", *list);
  }
  percentiles.clear();
  for (const Json& value : *list) percentiles.push_back(value.number());
}

void ReadRun(JsonObject& top, RunPolicy& run) {
  JsonObject keys = top.Object("run");
  ReadLimits(keys, [&](LimitVisitor& visitor) { run.Visit(visitor); });
  if (run.max_duration_s < run.min_duration_s) {
    keys.Fail("max_duration_s", "must not be below run.min_duration_s");
  }
}

void ReadChecks(JsonObject& top, Policy& policy) {
  if (!top.Has("checks")) return top.Fail("checks", "must be given");
  JsonObject checks = top.Object("checks");
  if (checks.given() && top.Find("checks")->empty()) {
    top.Fail("checks", "must name at least one check: nothing would be judged");
  }
  for (const Check& check : Checks()) {
    if (!checks.Has(check.key)) continue;
    JsonObject object = checks.Object(check.key);
    std::unique_ptr<CheckPolicy> limits = check.defaults();
    ReadCheckPolicy(object, *limits);
    policy.checks.Set(check.key, std::move(limits));
  }
}

void ReadSides(JsonObject& top, Policy& policy) {
  {
    JsonObject subject = top.Object("subject");
    if (subject.given()) subject.Require("backend", &policy.subject_backend);
    if (subject.Get("compute_units", &policy.subject_units) &&
        !ComputeUnitsFromName(policy.subject_units).ok()) {
      subject.Fail("compute_units", "must be all, cpu_only, cpu_and_gpu or cpu_and_ne");
    }
  }
  if (top.HasValue("baseline")) {
    JsonObject baseline = top.Object("baseline");
    if (baseline.given()) baseline.Require("backend", &policy.baseline_backend);
    return;
  }
  for (const Check& check : Checks()) {
    if (!policy.checks.Has(check.key) || !check.Needs(Need::kBaseline)) continue;
    top.Fail("baseline",
             fmt::format("must be given, as the check '{}' compares with it", check.key));
  }
}

}  // namespace

void RunPolicy::Visit(LimitVisitor& visitor) {
  visitor.Count("inferences", inferences, 1, 100'000'000);
  visitor.Number("min_duration_s", min_duration_s, 0, 1e6);
  visitor.Number("max_duration_s", max_duration_s, 0, 1e6);
  visitor.Number("warmup_s", warmup_s, 0, 1e6);
  visitor.Count("warmup_calls", warmup_calls, 0, 1'000'000);
  visitor.Number("warmup_cap_s", warmup_cap_s, 0, 1e6);
  visitor.Number("steady_tolerance", steady_tolerance, 1e-6, 10);
  visitor.Count("block", block, 1, 100'000);
  visitor.Number("max_silence_s", max_silence_s, 0.1, 1e6);
}

Result<Policy> ParsePolicy(std::string_view text, const std::string& place) {
  if (text.size() > kMaxBytes) {
    return Usage("a policy must not exceed {} bytes, but has {}", kMaxBytes, text.size()).At(place);
  }
  JsonDocument document(text, "a policy", kReading);
  Policy policy;
  policy.path = place;
  policy.sha256 = ToHex(Sha256Of(std::as_bytes(std::span(text.data(), text.size()))));
  if (document.is_object()) {
    JsonObject top = document.root();
    size_t schema = 0;
    if (!top.Has("schema")) top.Fail("schema", "must be given");
    top.Choose("schema", kSchemas, &schema);
    int64_t version = 0;
    top.Require("schema_version", &version, kPolicySchemaVersion, kPolicySchemaVersion);
    top.Require("name", &policy.name);
    top.Get("description", &policy.description);
    top.Get("devices", &policy.devices);
    ReadPercentiles(top, policy.percentiles);
    ReadRun(top, policy.run);
    ReadChecks(top, policy);
    ReadSides(top, policy);
  }
  ANEMONE_TRY(document.status(ErrorCode::kUsage, place));
  return policy;
}

Json PolicyJson(const Policy& policy) {
  Json json{
      {"schema", kSchemas[0]}, {"schema_version", kPolicySchemaVersion}, {"name", policy.name}};
  json["subject"] = {{"backend", policy.subject_backend}, {"compute_units", policy.subject_units}};
  if (!policy.baseline_backend.empty()) json["baseline"] = {{"backend", policy.baseline_backend}};
  json["devices"] = policy.devices;
  json["percentiles"] = policy.percentiles;
  RunPolicy run = policy.run;
  json["run"] = WriteLimits([&](LimitVisitor& visitor) { run.Visit(visitor); });
  Json checks = Json::Object();
  for (const Check& check : Checks()) {
    const CheckPolicy* limits = policy.checks.Find(check.key);
    if (limits != nullptr) checks[check.key] = WriteCheckPolicy(*limits);
  }
  json["checks"] = std::move(checks);
  return json;
}

Status SetCheck(Policy& policy, std::string_view key, Json limits) {
  const auto check = std::ranges::find(Checks(), key, &Check::key);
  if (check == Checks().end()) return Usage("'{}' is not a check", key);
  const CheckPolicy* named = policy.checks.Find(key);
  std::unique_ptr<CheckPolicy> set = named != nullptr ? named->Clone() : check->defaults();
  JsonDocument document = JsonDocument::Of(std::move(limits), "a check", kReading);
  {
    JsonObject object = document.root();
    ReadCheckPolicy(object, *set);
  }
  ANEMONE_TRY(document.status(ErrorCode::kUsage).At(fmt::format("the check '{}'", key)));
  policy.checks.Set(key, std::move(set));
  return {};
}

Policy BuiltInGateC() {
  auto read = ParsePolicy({kGateCJson, kGateCJsonSize}, "built in");
  if (!read.ok()) return {};  // our bug, which a test would have found
  read->sha256 = ToHex(Sha256Of({}));
  return std::move(*read);
}

Result<Policy> ReadPolicy(const std::string& path) {
  const std::pair<std::string_view, std::string_view> built_in[] = {
      {"ci-cpu", {kCiCpuJson, kCiCpuJsonSize}},
      {"gate-c", {kGateCJson, kGateCJsonSize}},
      {"models-ready", {kModelsReadyJson, kModelsReadyJsonSize}},
      {"runtime-ready", {kRuntimeReadyJson, kRuntimeReadyJsonSize}},
  };
  auto bytes = MapFile(path);
  if (bytes.ok()) return ParsePolicy(bytes->text(), path);
  if (bytes.error().code() != ErrorCode::kNotFound) return std::move(bytes).error();
  for (const auto& [name, text] : built_in) {
    if (path == name || path == fmt::format("gates/{}.json", name)) return ParsePolicy(text, path);
  }
  return std::move(bytes).error().Advise(
      "built in are ci-cpu, gate-c, models-ready and runtime-ready");
}

}  // namespace anemone::gate
