#include "runtime/first_load_protocol.h"

#include "base/json_file.h"

namespace anemone::runtime {
namespace {

constexpr const char* kRequestSchema = "anemone.first_load_request";
constexpr const char* kVerdictSchema = "anemone.first_load_verdict";

std::optional<int64_t> Number(const Json& json) {
  return json.is_integer() ? std::optional(json.integer()) : std::nullopt;
}

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
  return WriteJsonFile(json, path);
}

Result<FirstLoadRequest> ReadRequest(const std::string& path) {
  ANEMONE_ASSIGN(const Json json, ReadJsonFile(path, kRequestSchema));
  FirstLoadRequest request;
  request.backend = json["backend"].text();
  request.load.package_path = json["package_path"].text();
  request.load.function = json["function"].text();
  ANEMONE_ASSIGN(request.load.compute_units, ComputeUnitsFromName(json["compute_units"].text()));
  request.load.cache_dir = json["cache_dir"].text();
  request.load.hints.infrequent_reshape = json["infrequent_reshape"].boolean();
  request.load.hints.fast_prediction = json["fast_prediction"].boolean();
  if (json["linf_of_range"].is_number())
    request.limits.linf_of_range = json["linf_of_range"].number();
  if (json["rmse_of_range"].is_number())
    request.limits.rmse_of_range = json["rmse_of_range"].number();
  request.timeout = std::chrono::nanoseconds(Number(json["timeout_ns"]).value_or(0));
  request.result_path = json["result_path"].text();
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
  json["planned"] = verdict.planned ? Json(*verdict.planned) : Json();
  json["unix_s"] = verdict.unix_s;
  json["errors"] = verdict.errors;
  return WriteJsonFile(json, path);
}

Result<FirstLoadVerdict> ReadVerdict(const std::string& path) {
  ANEMONE_ASSIGN(const Json json, ReadJsonFile(path, kVerdictSchema));
  FirstLoadVerdict verdict;
  verdict.passed = json["passed"].boolean();
  verdict.failure = exec::FailureKindFromName(json["failure"].text());
  if (!verdict.passed && !verdict.failure) {
    return InvalidInput("the verdict is a failure of an unknown kind").At(path);
  }
  verdict.message = json["message"].text();
  verdict.phase = json["phase"].text();
  verdict.signal = static_cast<int>(Number(json["signal"]).value_or(0));
  verdict.load_ns = Number(json["load_ns"]);
  verdict.first_inference_ns = Number(json["first_inference_ns"]);
  verdict.peak_rss_bytes = Number(json["peak_rss_bytes"]);
  verdict.self_tested = json["self_tested"].boolean();
  if (json["planned"].is_boolean()) verdict.planned = json["planned"].boolean();
  verdict.unix_s = Number(json["unix_s"]).value_or(0);
  verdict.errors = json["errors"].text();
  return verdict;
}

}  // namespace anemone::runtime
