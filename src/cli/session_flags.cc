#include "cli/session_flags.h"

#include "base/cache_root.h"
#include "base/mapped_file.h"
#include "facade/session_options.h"

namespace anemone::cli {

void AddSessionFlags(Command command, SessionFlags& flags) {
  command
      .AddOption("--compute-units", flags.compute_units,
                 "what Core ML may use: all, cpu_only, cpu_and_gpu or cpu_and_ne")
      .Environment("ANEMONE_COMPUTE_UNITS")
      .ShowDefault();
  command
      .AddOption("--reshape-frequency", flags.reshape_frequency,
                 "hint to Core ML (macOS 14.4): frequent, or infrequent where shapes seldom change")
      .ShowDefault();
  command
      .AddOption("--specialization-strategy", flags.specialization_strategy,
                 "hint to Core ML (macOS 15): default, or fast_prediction for a longer first load")
      .ShowDefault();
  command.AddFlag("--no-fallback", flags.no_fallback,
                  "fail where the preferred backend fails, instead of asking the next one");
  command.AddFlag("--dispatch", flags.dispatch,
                  "measure which compute units or thread count is fastest, and remember it");
  command.AddOption("--breaker", flags.breaker_file, "JSON file of circuit breaker parameters");
  command
      .AddOption("--state-dir", flags.state_dir,
                 "folder of what breakers and measurements remember")
      .Environment("ANEMONE_STATE_DIR");
  command.AddOption("--telemetry-log", flags.telemetry_log,
                    "append one JSON line for each load, fallback and change of a circuit");
  command.AddOption("--metrics-address", flags.metrics_address,
                    "HOST:PORT that serves /metrics to Prometheus meanwhile");
  command.AddOption("--trace-file", flags.trace_file,
                    "write a Chrome trace of loads and inferences at the end");
}

Result<std::shared_ptr<runtime::Session>> OpenSession(const facade::LoadedModel& model,
                                                      const std::string& argument,
                                                      const BackendFlags& backend,
                                                      const SessionFlags& flags,
                                                      const Globals& globals) {
  SessionOptions options;
  options.backend = backend.backend;
  options.numerics = backend.numerics;
  options.function = backend.function;
  options.threads = globals.threads;
  options.compute_units = flags.compute_units;
  options.reshape_frequency = flags.reshape_frequency;
  options.specialization_strategy = flags.specialization_strategy;
  options.fallback = !flags.no_fallback;
  options.warm_up = false;  // the first inference is the user's
  options.dispatch_by_measurement = flags.dispatch;
  options.telemetry_log = flags.telemetry_log;
  options.metrics_address = flags.metrics_address;
  options.trace_file = flags.trace_file;
  if (!flags.breaker_file.empty()) {
    ANEMONE_ASSIGN(const Bytes text, MapFile(flags.breaker_file));
    options.breaker_json.assign(reinterpret_cast<const char*>(text.data()), text.size());
  }
  // What is remembered costs a hash of the model: only where something remembers.
  ANEMONE_ASSIGN(const bool external, facade::IsExternalBackend(backend.backend));
  if (external || flags.dispatch || !flags.state_dir.empty()) {
    options.state_dir = flags.state_dir.empty() ? StateRoot() : flags.state_dir;
  }
  if (external) options.cache_dir = flags.cache_dir.empty() ? CacheRoot() : flags.cache_dir;
  return facade::OpenSession(model, argument, options);
}

}  // namespace anemone::cli
