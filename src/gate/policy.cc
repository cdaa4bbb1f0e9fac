#include "gate/policy.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "exec/backend.h"

namespace anemone::gate {
namespace {

using Json = nlohmann::json;

constexpr const char* kSchema = "anemone.gate_policy";
constexpr int kSchemaVersion = 1;
constexpr size_t kMaxBytes = size_t{1} << 20;

// Takes the keys of one object; remembers the first rule that one broke, as "key.path: rule".
class Keys {
 public:
  Keys(const Json& object, std::string path, Status* status)
      : object_(object), path_(std::move(path)), status_(status) {
    if (!object.is_object()) Fail(path_.empty() ? "." : path_, "must be an object");
  }
  // Whatever was not asked for is no key.
  ~Keys() {
    if (!object_.is_object()) return;
    for (const auto& [key, value] : object_.items()) {
      if (!asked_.contains(key)) Fail(Name(key), "is no key here; one of " + AskedText());
    }
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  const Json* Find(const std::string& key) {
    asked_.insert(key);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  bool Has(const std::string& key) { return Find(key) != nullptr; }

  void Bool(const std::string& key, bool& out) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_boolean()) return Fail(Name(key), "must be true or false", *value);
    out = value->get<bool>();
  }
  void Text(const std::string& key, std::string& out, bool required = false) {
    const Json* value = Find(key);
    if (value == nullptr) {
      if (required) Fail(Name(key), "must be given");
      return;
    }
    if (!value->is_string()) return Fail(Name(key), "must be text", *value);
    out = value->get<std::string>();
  }
  void Number(const std::string& key, double& out, double low, double high) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_number() || !(value->get<double>() >= low && value->get<double>() <= high)) {
      return Fail(Name(key), fmt::format("must be a number from {:g} to {:g}", low, high), *value);
    }
    out = value->get<double>();
  }
  template <typename Integer>
  void Count(const std::string& key, Integer& out, int64_t low, int64_t high) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    const bool fits = value->is_number_integer() &&
                      !(value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX) &&
                      value->get<int64_t>() >= low && value->get<int64_t>() <= high;
    if (!fits) {
      return Fail(Name(key), fmt::format("must be an integer from {} to {}", low, high), *value);
    }
    out = static_cast<Integer>(value->get<int64_t>());
  }
  void Texts(const std::string& key, std::vector<std::string>& out) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    const bool fits =
        value->is_array() && std::all_of(value->begin(), value->end(),
                                         [](const Json& item) { return item.is_string(); });
    if (!fits) return Fail(Name(key), "must be a list of texts", *value);
    out = value->get<std::vector<std::string>>();
  }

  void Fail(const std::string& name, const std::string& rule) {
    if (status_->ok()) *status_ = Usage("{}", rule).At(name);
  }
  void Fail(const std::string& name, const std::string& rule, const Json& value) {
    std::string shown = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (shown.size() > 60) shown = shown.substr(0, 60) + "...";
    Fail(name, rule + ", but is " + shown);
  }
  std::string Name(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }
  Status* status() const { return status_; }

 private:
  std::string AskedText() const {
    std::string text;
    for (const std::string& key : asked_) text += (text.empty() ? "" : ", ") + key;
    return text;
  }

  const Json& object_;
  std::string path_;
  Status* status_;
  std::set<std::string> asked_;
};

// Makes `out` when the check is named, and hands its keys to `read`.
template <typename Check, typename Read>
void TakeCheck(Keys& checks, const std::string& name, std::optional<Check>& out, Read read) {
  const Json* value = checks.Find(name);
  if (value == nullptr) return;
  Keys keys(*value, checks.Name(name), checks.status());
  out.emplace();
  keys.Bool("required", out->required);
  read(keys, *out);
}
constexpr auto kNothingMore = [](Keys&, CheckPolicy&) {};

void ReadParity(Keys& keys, ParityPolicy& parity) {
  parity.limits = DefaultParityLimits();
  keys.Count("synthetic_samples", parity.synthetic_samples, 1, 10'000);
  keys.Count("seed", parity.seed, 0, INT64_MAX);
  keys.Bool("real_inputs", parity.real_inputs);
  const Json* limits = keys.Find("limits");
  if (limits == nullptr) return;
  Keys by_precision(*limits, keys.Name("limits"), keys.status());
  for (auto& [precision, limit] : parity.limits) {
    const Json* value = by_precision.Find(precision);
    if (value == nullptr) continue;
    Keys figures(*value, by_precision.Name(precision), keys.status());
    figures.Number("l_inf", limit.linf, 0, 1e30);
    figures.Number("rmse", limit.rmse, 0, 1e30);
  }
}

void ReadChecks(const Json& object, Policy& policy, Status* status) {
  Keys checks(object, "checks", status);
  TakeCheck(checks, "compile", policy.compile, kNothingMore);
  TakeCheck(checks, "inferences", policy.inferences, [](Keys& keys, InferencesPolicy& check) {
    keys.Count("min_count", check.min_count, 1, 1'000'000'000);
    keys.Count("max_crashes", check.max_crashes, 0, 1'000'000'000);
    keys.Count("max_failures", check.max_failures, 0, 1'000'000'000);
  });
  TakeCheck(checks, "dispatch", policy.dispatch, [](Keys& keys, DispatchPolicy& check) {
    keys.Text("unit", check.unit);
    if (check.unit != "ane" && check.unit != "gpu") {
      keys.Fail(keys.Name("unit"), "must be \"ane\" or \"gpu\"");
    }
    keys.Number("min_share_pct", check.min_share_pct, 0, 100);
  });
  TakeCheck(checks, "latency", policy.latency, [](Keys& keys, LatencyPolicy& check) {
    keys.Number("percentile", check.percentile, 0.1, 99.99);
    keys.Number("max_ratio", check.max_ratio, 1e-6, 1e6);
    keys.Number("confidence", check.confidence, 0.5, 0.9999);
    keys.Count("resamples", check.resamples, 100, 1'000'000);
    keys.Number("conservative_speedup", check.conservative_speedup, 1e-6, 1e6);
    keys.Bool("require_conservative", check.require_conservative);
    keys.Bool("require_interleaved", check.require_interleaved);
  });
  TakeCheck(checks, "parity", policy.parity, ReadParity);
  TakeCheck(checks, "backend_parity", policy.backend_parity, ReadParity);
  TakeCheck(checks, "telemetry", policy.telemetry, [](Keys& keys, TelemetryPolicy& check) {
    keys.Number("max_gap_s", check.max_gap_s, 0, 1e9);
  });
  TakeCheck(checks, "memory", policy.memory, [](Keys& keys, MemoryPolicy& check) {
    keys.Number("max_growth_bytes_per_call", check.max_growth_bytes_per_call, 0, 1e15);
    keys.Count("min_calls", check.min_calls, 1, 1'000'000'000);
  });
  TakeCheck(checks, "fallbacks", policy.fallbacks, [](Keys& keys, FallbacksPolicy& check) {
    keys.Count("max_count", check.max_count, 0, 1'000'000'000);
  });
  TakeCheck(checks, "files", policy.files, [](Keys& keys, FilesPolicy& check) {
    keys.Texts("manifest_keys", check.manifest_keys);
  });
  TakeCheck(checks, "fallback_proof", policy.fallback_proof, kNothingMore);
  TakeCheck(checks, "logs", policy.logs, kNothingMore);
}

void ReadRun(Keys& top, RunPolicy& run) {
  const Json* value = top.Find("run");
  if (value == nullptr) return;
  Keys keys(*value, "run", top.status());
  keys.Count("inferences", run.inferences, 1, 100'000'000);
  keys.Number("min_duration_s", run.min_duration_s, 0, 1e6);
  keys.Number("max_duration_s", run.max_duration_s, 0, 1e6);
  keys.Number("warmup_s", run.warmup_s, 0, 1e6);
  keys.Count("warmup_calls", run.warmup_calls, 0, 1'000'000);
  keys.Number("warmup_cap_s", run.warmup_cap_s, 0, 1e6);
  keys.Number("steady_tolerance", run.steady_tolerance, 1e-6, 10);
  keys.Count("block", run.block, 1, 100'000);
  keys.Number("max_silence_s", run.max_silence_s, 0.1, 1e6);
  if (run.max_duration_s < run.min_duration_s) {
    keys.Fail("run.max_duration_s", "must not be below run.min_duration_s");
  }
}

void ReadSides(Keys& top, Policy& policy) {
  if (const Json* subject = top.Find("subject")) {
    Keys keys(*subject, "subject", top.status());
    keys.Text("backend", policy.subject_backend, true);
    keys.Text("compute_units", policy.subject_units);
    if (!ComputeUnitsFromName(policy.subject_units).ok()) {
      keys.Fail("subject.compute_units", "must be all, cpu_only, cpu_and_gpu or cpu_and_ne");
    }
  }
  if (const Json* baseline = top.Find("baseline"); baseline != nullptr && !baseline->is_null()) {
    Keys keys(*baseline, "baseline", top.status());
    keys.Text("backend", policy.baseline_backend, true);
  }
  if (policy.latency && policy.baseline_backend.empty()) {
    top.Fail("baseline", "must be given, as the check 'latency' compares with it");
  }
}

}  // namespace

std::map<std::string, lab::ParityLimits> DefaultParityLimits() {
  // fp32: what reordering the sums of float32 can do.
  return {{"fp32", {1e-4, 1e-5}}, {"fp16", lab::kFp16Limits}, {"int8", lab::kInt8Limits}};
}

Result<Policy> ParsePolicy(std::string_view text, const std::string& place) {
  if (text.size() > kMaxBytes) {
    return Usage("a policy must not exceed {} bytes, but has {}", kMaxBytes, text.size()).At(place);
  }
  Json json;
  std::string twice;
  std::vector<std::set<std::string>> open;
  try {
    // A limit given twice would leave it to the parser which one holds.
    json = Json::parse(text, [&](int depth, Json::parse_event_t event, Json& parsed) {
      if (depth > 16) return false;
      if (event == Json::parse_event_t::object_start) open.emplace_back();
      if (event == Json::parse_event_t::object_end) open.pop_back();
      if (event == Json::parse_event_t::key &&
          !open.back().insert(parsed.get<std::string>()).second && twice.empty()) {
        twice = parsed.get<std::string>();
      }
      return true;
    });
  } catch (const Json::exception& error) {
    return Usage("a policy must be JSON: {}", error.what()).At(place);
  }
  if (!json.is_object()) return Usage("a policy must be a JSON object").At(place);
  if (!twice.empty()) return Usage("must be given once").At(twice).At(place);
  Policy policy;
  policy.path = place;
  policy.sha256 = ToHex(Sha256Of(std::as_bytes(std::span(text.data(), text.size()))));
  Status status;
  {
    Keys top(json, "", &status);
    std::string schema;
    top.Text("schema", schema, true);
    if (status.ok() && schema != kSchema) {
      top.Fail("schema", fmt::format("must be \"{}\", but is \"{}\"", kSchema, schema));
    }
    const Json* version = top.Find("schema_version");
    if (version == nullptr || *version != kSchemaVersion) {
      top.Fail("schema_version", fmt::format("must be {}", kSchemaVersion));
    }
    top.Text("name", policy.name, true);
    top.Text("description", policy.description);
    top.Texts("devices", policy.devices);
    if (const Json* list = top.Find("percentiles")) {
      const bool fits =
          list->is_array() && !list->empty() &&
          std::all_of(list->begin(), list->end(), [](const Json& value) {
            return value.is_number() && value.get<double>() > 0 && value.get<double>() <= 100;
          });
      if (fits) {
        policy.percentiles = list->get<std::vector<double>>();
      } else {
        top.Fail("percentiles", "must be a list of numbers above 0, at most 100", *list);
      }
    }
    ReadRun(top, policy.run);
    const Json* checks = top.Find("checks");
    if (checks == nullptr) {
      top.Fail("checks", "must be given");
    } else {
      if (checks->is_object() && checks->empty()) {
        top.Fail("checks", "must name at least one check: nothing would be judged");
      }
      ReadChecks(*checks, policy, &status);
    }
    ReadSides(top, policy);
  }
  if (!status.ok()) return std::move(status).At(place).error();
  return policy;
}

Policy BuiltInGateC() {
  Policy policy;
  policy.name = "gate-c";
  policy.description =
      "May this model ship on Core ML: it compiles, survives 1,000 inferences, is planned for the "
      "Neural Engine, beats the CPU at p99 and stays accurate.";
  policy.path = "built in";
  policy.sha256 = ToHex(Sha256Of({}));
  policy.baseline_backend = "cpu";
  policy.compile.emplace();
  policy.inferences.emplace();
  policy.dispatch.emplace();
  policy.latency.emplace();
  policy.parity.emplace().limits = DefaultParityLimits();
  policy.backend_parity.emplace().limits = DefaultParityLimits();
  // Two implementations of float32 beside each other: the backend may compute in half precision.
  policy.backend_parity->limits["fp32"] = lab::kFp16Limits;
  policy.telemetry.emplace();
  policy.memory.emplace();
  policy.fallbacks.emplace();
  return policy;
}

Result<Policy> ReadPolicy(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  return ParsePolicy({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace anemone::gate
