// What a session tells beside its own answers, as SessionOptions ask for: a log, a trace, a page of
// metrics; signposts wherever there are any.
//
// Ownership: Attach makes the session keep what it needs; all ends with the session. Thread rules:
// one thread opens a session. Errors: kIo or kUsage when an output cannot be made; nothing is open
// then.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "anemone/options.h"
#include "base/status.h"
#include "runtime/chrome_trace.h"
#include "runtime/prometheus_exporter.h"
#include "runtime/session.h"

namespace anemone::facade {

// What a session counts, for Prometheus: one source for the counts, and one for each breaker. The
// session and its telemetry must outlive them.
std::vector<runtime::PrometheusSource> MetricSources(const runtime::Session& session,
                                                     const runtime::Telemetry& telemetry,
                                                     const std::string& model_label);

class SessionOutputs {
 public:
  // Adds the sinks, before the session records anything.
  static Result<SessionOutputs> Prepare(const SessionOptions& options,
                                        runtime::Telemetry& telemetry);
  // The same session; its end also ends the page and writes the trace.
  Result<std::shared_ptr<runtime::Session>> Attach(std::shared_ptr<runtime::Session> session,
                                                   const std::string& model_hash) const;

 private:
  std::string metrics_address_;
  std::string trace_file_;
  std::shared_ptr<runtime::ChromeTrace> trace_;  // null: none
};

}  // namespace anemone::facade
