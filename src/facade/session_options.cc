#include "facade/session_options.h"

#include <filesystem>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "base/tree_hash.h"
#include "facade/arrays.h"
#include "facade/convert.h"
#include "facade/session_outputs.h"
#include "options/option.h"
#include "passes/pipeline.h"
#include "runtime/backends.h"
#include "runtime/circuit_breaker_config.h"

namespace anemone::facade {

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

namespace {

// `text`: an object, or the path of a file that holds one.
Result<runtime::BreakerConfig> BreakerOf(const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == text.find('{'))
    return runtime::ParseBreakerConfig(text, "breaker");
  ANEMONE_ASSIGN(const Bytes file, MapFile(text));
  return runtime::ParseBreakerConfig(file.text(), "breaker");
}

}  // namespace

Result<std::shared_ptr<const ir::Model>> AsRun(const LoadedModel& model,
                                               const std::string& backend) {
  const bool imported = model.type != "mlProgram" || model.origin == "onnx" ||
                        model.origin == "pytorch" || model.origin == "catalog";
  if (!imported || backend == "reference") return std::shared_ptr<const ir::Model>(model.model);
  auto faster = std::make_shared<ir::Model>(CloneModel(*model.model));
  ANEMONE_TRY(passes::RunPasses(faster->program, passes::ExecutionPipeline(), {}).status());
  return std::shared_ptr<const ir::Model>(std::move(faster));
}

Result<std::shared_ptr<runtime::Session>> OpenSession(
    const LoadedModel& model, const std::string& argument, const SessionOptions& options,
    const std::vector<const exec::Backend*>& backends) {
  ANEMONE_TRY(options::Check(options));
  runtime::SessionOptions open;
  open.backends = backends;
  open.backend = options.backend;
  open.load.function = options.function;
  open.load.threads = options.threads;
  open.load.cache_dir = options.cache_dir;
  ANEMONE_ASSIGN(open.load.numerics, ParseNumerics(options.numerics));
  ANEMONE_ASSIGN(open.load.compute_units, ComputeUnitsFromName(options.compute_units));
  open.load.hints.infrequent_reshape = options.reshape_frequency == "infrequent";
  open.load.hints.fast_prediction = options.specialization_strategy == "fast_prediction";
  if (model.origin == "mlpackage") open.load.package_path = argument;
  open.fallback = options.fallback;
  open.serve_while_compiling = options.serve_while_compiling;
  open.warm = options.warm_up;
  open.dispatch_by_measurement = options.dispatch_by_measurement;
  open.max_lanes = options.max_concurrent_calls;
  open.state_dir = options.state_dir;
  if (!options.state_dir.empty()) open.certificate_dir = options.state_dir + "/certificates";
  if (!options.breaker.empty()) {
    ANEMONE_ASSIGN(open.breaker, BreakerOf(options.breaker));
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
  ANEMONE_ASSIGN(auto run, AsRun(model, options.backend));
  ANEMONE_ASSIGN(auto session, runtime::Session::Open(std::move(run), std::move(open)));
  return outputs.Attach(std::move(session), model_hash);
}

}  // namespace anemone::facade
