#include "runtime/first_load_protocol.h"

#include <nlohmann/json.hpp>

#include "base/json_file.h"

namespace anemone::runtime {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kRequestSchema = "anemone.first_load_request";
constexpr const char* kVerdictSchema = "anemone.first_load_verdict";

// The system's text on stderr need not be UTF-8.
std::string Text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Text(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<int64_t> Number(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<int64_t>();
}

double Real(const Json& json, const char* name, double otherwise) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number() ? found->get<double>() : otherwise;
}

bool Flag(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_boolean() && found->get<bool>();
}

Json OrNull(const std::optional<int64_t>& value) { return value ? Json(*value) : Json(); }

}  // namespace

Status WriteRequest(const FirstLoadRequest& request, const std::string& path) {
  Json json{{"schema", kRequestSchema}, {"schema_version", 1}};
  json["backend"] = request.backend;
  json["package_path"] = request.load.package_path;
  json["function"] = request.load.function;
  json["compute_units"] = ComputeUnitsName(request.load.compute_units);
  json["cache_dir"] = request.load.cache_dir;
  json["infrequent_reshape"] = request.load.hints.infrequent_reshape;
  json["fast_prediction"] = request.load.hints.fast_prediction;
  json["linf_of_range"] = request.limits.linf_of_range;
  json["rmse_of_range"] = request.limits.rmse_of_range;
  json["timeout_ns"] = request.timeout.count();
  json["result_path"] = request.result_path;
  return WriteJsonFile(Text(json), path);
}

Result<FirstLoadRequest> ReadRequest(const std::string& path) {
  ANEMONE_ASSIGN(const std::string text, ReadJsonFile(path, kRequestSchema));
  const Json json = Json::parse(text);
  FirstLoadRequest request;
  request.backend = Text(json, "backend");
  request.load.package_path = Text(json, "package_path");
  request.load.function = Text(json, "function");
  ANEMONE_ASSIGN(request.load.compute_units, ComputeUnitsFromName(Text(json, "compute_units")));
  request.load.cache_dir = Text(json, "cache_dir");
  request.load.hints.infrequent_reshape = Flag(json, "infrequent_reshape");
  request.load.hints.fast_prediction = Flag(json, "fast_prediction");
  request.limits.linf_of_range = Real(json, "linf_of_range", request.limits.linf_of_range);
  request.limits.rmse_of_range = Real(json, "rmse_of_range", request.limits.rmse_of_range);
  request.timeout = std::chrono::nanoseconds(Number(json, "timeout_ns").value_or(0));
  request.result_path = Text(json, "result_path");
  if (request.backend.empty() || request.load.package_path.empty() || request.result_path.empty()) {
    return InvalidInput("the request lacks a backend, a package or a result").At(path);
  }
  return request;
}

Status WriteVerdict(const FirstLoadVerdict& verdict, const std::string& path) {
  Json json{{"schema", kVerdictSchema}, {"schema_version", 1}};
  json["passed"] = verdict.passed;
  json["failure"] = verdict.failure ? Json(exec::FailureKindName(*verdict.failure)) : Json();
  json["message"] = verdict.message;
  json["phase"] = verdict.phase;
  json["signal"] = verdict.signal == 0 ? Json() : Json(verdict.signal);
  json["load_ns"] = OrNull(verdict.load_ns);
  json["first_inference_ns"] = OrNull(verdict.first_inference_ns);
  json["peak_rss_bytes"] = OrNull(verdict.peak_rss_bytes);
  json["self_tested"] = verdict.self_tested;
  json["unix_s"] = verdict.unix_s;
  json["errors"] = verdict.errors;
  return WriteJsonFile(Text(json), path);
}

Result<FirstLoadVerdict> ReadVerdict(const std::string& path) {
  ANEMONE_ASSIGN(const std::string text, ReadJsonFile(path, kVerdictSchema));
  const Json json = Json::parse(text);
  FirstLoadVerdict verdict;
  verdict.passed = Flag(json, "passed");
  verdict.failure = exec::FailureKindFromName(Text(json, "failure"));
  if (!verdict.passed && !verdict.failure) {
    return InvalidInput("the verdict is a failure of an unknown kind").At(path);
  }
  verdict.message = Text(json, "message");
  verdict.phase = Text(json, "phase");
  verdict.signal = static_cast<int>(Number(json, "signal").value_or(0));
  verdict.load_ns = Number(json, "load_ns");
  verdict.first_inference_ns = Number(json, "first_inference_ns");
  verdict.peak_rss_bytes = Number(json, "peak_rss_bytes");
  verdict.self_tested = Flag(json, "self_tested");
  verdict.unix_s = Number(json, "unix_s").value_or(0);
  verdict.errors = Text(json, "errors");
  return verdict;
}

}  // namespace anemone::runtime
