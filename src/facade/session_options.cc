#include "facade/session_options.h"

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "base/tree_hash.h"
#include "facade/arrays.h"
#include "facade/session_outputs.h"
#include "runtime/backends.h"
#include "runtime/circuit_breaker_config.h"

namespace anemone::facade {
namespace {

using Json = nlohmann::ordered_json;

// How one key is taken; false when the value has another type.
using Take = std::function<bool(const Json& value, OpenOptions& options)>;

template <typename Field>
Take Text(Field field) {
  return [field](const Json& value, OpenOptions& options) {
    if (!value.is_string()) return false;
    field(options) = value.get<std::string>();
    return true;
  };
}
template <typename Field>
Take Flag(Field field) {
  return [field](const Json& value, OpenOptions& options) {
    if (!value.is_boolean()) return false;
    field(options) = value.get<bool>();
    return true;
  };
}
template <typename Field>
Take Count(Field field) {
  return [field](const Json& value, OpenOptions& options) {
    if (!value.is_number_integer() || value < 0 || value > 1024) return false;
    field(options) = value.get<int>();
    return true;
  };
}

struct Row {
  const char* type;
  Take take;
};

const std::map<std::string, Row>& Rows() {
  static const std::map<std::string, Row> rows{
      {"backend", {"text", Text([](auto& o) -> auto& { return o.session.backend; })}},
      {"compute_units", {"text", Text([](auto& o) -> auto& { return o.session.compute_units; })}},
      {"reshape_frequency",
       {"text", Text([](auto& o) -> auto& { return o.session.reshape_frequency; })}},
      {"specialization_strategy",
       {"text", Text([](auto& o) -> auto& { return o.session.specialization_strategy; })}},
      {"function", {"text", Text([](auto& o) -> auto& { return o.session.function; })}},
      {"numerics", {"text", Text([](auto& o) -> auto& { return o.session.numerics; })}},
      {"threads", {"0 to 1024", Count([](auto& o) -> auto& { return o.session.threads; })}},
      {"max_concurrent_calls",
       {"0 to 1024", Count([](auto& o) -> auto& { return o.session.max_concurrent_calls; })}},
      {"fallback", {"a boolean", Flag([](auto& o) -> auto& { return o.session.fallback; })}},
      {"serve_while_compiling",
       {"a boolean", Flag([](auto& o) -> auto& { return o.session.serve_while_compiling; })}},
      {"warm_up", {"a boolean", Flag([](auto& o) -> auto& { return o.session.warm_up; })}},
      {"dispatch_by_measurement",
       {"a boolean", Flag([](auto& o) -> auto& { return o.session.dispatch_by_measurement; })}},
      {"breaker",
       {"an object",
        [](const Json& value, OpenOptions& options) {
          if (!value.is_object()) return false;
          options.session.breaker_json = value.dump();
          return true;
        }}},
      {"state_dir", {"text", Text([](auto& o) -> auto& { return o.session.state_dir; })}},
      {"cache_dir", {"text", Text([](auto& o) -> auto& { return o.session.cache_dir; })}},
      {"telemetry_log", {"text", Text([](auto& o) -> auto& { return o.session.telemetry_log; })}},
      {"metrics_address",
       {"text", Text([](auto& o) -> auto& { return o.session.metrics_address; })}},
      {"trace_file", {"text", Text([](auto& o) -> auto& { return o.session.trace_file; })}},
      {"weights", {"text", Text([](auto& o) -> auto& { return o.source.weights; })}},
      {"seed",
       {"a whole number",
        [](const Json& value, OpenOptions& options) {
          if (!value.is_number_unsigned()) return false;
          options.source.seed = value.get<uint64_t>();
          return true;
        }}},
  };
  return rows;
}

}  // namespace

Result<OpenOptions> ParseOpenOptions(std::string_view json) {
  OpenOptions options;
  if (json.empty()) return options;
  const Json document = Json::parse(json.begin(), json.end(), nullptr, false);
  if (!document.is_object()) return Usage("the options are no JSON object").At("options");
  std::string problems;
  const auto add = [&](const std::string& problem) {
    problems += (problems.empty() ? "" : "; ") + problem;
  };
  for (const auto& [key, value] : document.items()) {
    const auto row = Rows().find(key);
    if (row == Rows().end()) {
      add(fmt::format("there is no option '{}'", key));
    } else if (!row->second.take(value, options)) {
      add(fmt::format("'{}' must be {}", key, row->second.type));
    }
  }
  if (problems.empty()) return options;
  std::string names;
  for (const auto& [name, row] : Rows()) names += (names.empty() ? "" : ", ") + name;
  return Usage("{}", problems).At("options").Advise("the options are " + names);
}

namespace {

// Whether `value` is the second of the two names that `option` may have.
Result<bool> Chosen(std::string_view option, const std::string& value, std::string_view usual,
                    std::string_view other) {
  if (value == usual) return false;
  if (value == other) return true;
  return Usage("unknown {} '{}'", option, value)
      .Advise(fmt::format("choose {} or {}", usual, other));
}

}  // namespace

Result<bool> IsExternalBackend(const std::string& backend) {
  ANEMONE_ASSIGN(const exec::Backend* found, runtime::FindBackend(backend));
  return found->external();
}

Result<std::string> ContentHash(const LoadedModel& model, const std::string& argument) {
  std::error_code error;
  if (std::filesystem::exists(argument, error)) {
    ANEMONE_ASSIGN(TreeFacts facts, HashTree(argument));
    return std::move(facts.sha256);
  }
  std::string text = model.name + "|" + std::to_string(model.model->spec_version);
  for (const auto& [key, value] : model.model->metadata.user_defined) {
    text += "|" + key + "=" + value;
  }
  return ToHex(Sha256Of(std::as_bytes(std::span(text.data(), text.size()))));
}

Result<std::shared_ptr<runtime::Session>> OpenSession(const LoadedModel& model,
                                                      const std::string& argument,
                                                      const SessionOptions& options) {
  runtime::SessionOptions open;
  open.backend = options.backend;
  open.load.function = options.function;
  open.load.threads = options.threads;
  open.load.cache_dir = options.cache_dir;
  ANEMONE_ASSIGN(open.load.numerics, ParseNumerics(options.numerics));
  ANEMONE_ASSIGN(open.load.compute_units, ComputeUnitsFromName(options.compute_units));
  ANEMONE_ASSIGN(open.load.hints.infrequent_reshape,
                 Chosen("reshape_frequency", options.reshape_frequency, "frequent", "infrequent"));
  ANEMONE_ASSIGN(open.load.hints.fast_prediction,
                 Chosen("specialization_strategy", options.specialization_strategy, "default",
                        "fast_prediction"));
  if (model.origin == "mlpackage") open.load.package_path = argument;
  open.fallback = options.fallback;
  open.serve_while_compiling = options.serve_while_compiling;
  open.warm = options.warm_up;
  open.dispatch_by_measurement = options.dispatch_by_measurement;
  open.max_lanes = options.max_concurrent_calls;
  open.state_dir = options.state_dir;
  if (!options.state_dir.empty()) open.certificate_dir = options.state_dir + "/certificates";
  if (!options.breaker_json.empty()) {
    ANEMONE_ASSIGN(open.breaker, runtime::ParseBreakerConfig(options.breaker_json, "breaker"));
  }
  const bool traced = !options.trace_file.empty();
  if (!options.state_dir.empty() || !options.telemetry_log.empty() ||
      !options.metrics_address.empty()) {
    ANEMONE_ASSIGN(open.model_hash, ContentHash(model, argument));
  }
  open.telemetry =
      std::make_shared<runtime::Telemetry>(runtime::TelemetryOptions{.model = open.model_hash,
                                                                     .backend = options.backend,
                                                                     .units = options.compute_units,
                                                                     .inference_events = traced,
                                                                     .process_memory = true});
  ANEMONE_ASSIGN(const SessionOutputs outputs, SessionOutputs::Prepare(options, *open.telemetry));
  const std::string model_hash = open.model_hash;
  ANEMONE_ASSIGN(auto session, runtime::Session::Open(model.model, std::move(open)));
  return outputs.Attach(std::move(session), model_hash);
}

}  // namespace anemone::facade
