// --compute-units, --no-fallback and the other flags of commands that serve a model through a
// session. Thread rules: the main thread.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "cli/command.h"
#include "facade/model_source.h"
#include "runtime/session.h"

namespace anemone::cli {

struct SessionFlags {
  std::string compute_units = "all";
  std::string reshape_frequency = "frequent";
  std::string specialization_strategy = "default";
  bool no_fallback = false;
  bool dispatch = false;
  std::string breaker_file;   // JSON
  std::string state_dir;      // empty: the user's state folder
  std::string cache_dir;      // empty: the user's cache folder
  std::string telemetry_log;  // JSON Lines
  std::string metrics_address;
  std::string trace_file;
};
void AddSessionFlags(Command command, SessionFlags& flags);

// `argument` is what named the model.
Result<std::shared_ptr<runtime::Session>> OpenSession(const facade::LoadedModel& model,
                                                      const std::string& argument,
                                                      const BackendFlags& backend,
                                                      const SessionFlags& flags,
                                                      const Globals& globals);

}  // namespace anemone::cli
