#include "facade/session_outputs.h"

#include <utility>
#include <vector>

#include "runtime/json_lines.h"
#include "runtime/signpost.h"

namespace anemone::facade {
namespace {

// The session and what ends with it, in this order.
struct Served {
  std::shared_ptr<runtime::Session> session;
  std::unique_ptr<runtime::PrometheusExporter> exporter;
  std::shared_ptr<runtime::ChromeTrace> trace;
  std::string trace_file;

  ~Served() {
    exporter.reset();  // asks the session
    session.reset();   // tells the trace
    // It could be written when the session was opened; now there is no one left to tell.
    if (trace != nullptr) (void)trace->Write(trace_file).ok();
  }
};

}  // namespace

std::vector<runtime::PrometheusSource> MetricSources(const runtime::Session& session,
                                                     const runtime::Telemetry& telemetry,
                                                     const std::string& model_label) {
  const runtime::TelemetryOptions& labels = telemetry.options();
  std::vector<runtime::PrometheusSource> sources = {{model_label, labels.backend, labels.units,
                                                     [&telemetry] { return telemetry.Snapshot(); },
                                                     nullptr}};
  for (const auto& route : session.routes()) {
    runtime::CircuitBreaker* const breaker = route->breaker();
    if (breaker == nullptr) continue;
    sources.push_back({model_label, std::string(route->options().backend->name()),
                       std::string(ComputeUnitsName(route->options().load.compute_units)), nullptr,
                       [breaker] { return breaker->Gauges(); }});
  }
  return sources;
}

Result<SessionOutputs> SessionOutputs::Prepare(const SessionOptions& options,
                                               runtime::Telemetry& telemetry) {
  SessionOutputs outputs;
  outputs.metrics_address_ = options.metrics_address;
  outputs.trace_file_ = options.trace_file;
  if (!options.trace_file.empty()) {
    outputs.trace_ = std::make_shared<runtime::ChromeTrace>();
    ANEMONE_TRY(outputs.trace_->Write(options.trace_file));  // fail now rather than at the end
    telemetry.AddSink(outputs.trace_);
  }
  if (!options.telemetry_log.empty()) {
    ANEMONE_ASSIGN(auto sink, runtime::JsonLinesSink::Open(options.telemetry_log, {}));
    telemetry.AddSink(std::move(sink));
  }
  if (runtime::SignpostsAvailable()) telemetry.AddSink(std::make_shared<runtime::SignpostSink>());
  return outputs;
}

Result<std::shared_ptr<runtime::Session>> SessionOutputs::Attach(
    std::shared_ptr<runtime::Session> session, const std::string& model_hash) const {
  if (metrics_address_.empty() && trace_ == nullptr) return session;
  auto served = std::make_shared<Served>();
  if (!metrics_address_.empty()) {
    ANEMONE_ASSIGN(
        served->exporter,
        runtime::PrometheusExporter::Start(
            metrics_address_, MetricSources(*session, session->telemetry(), model_hash)));
  }
  served->session = std::move(session);
  served->trace = trace_;
  served->trace_file = trace_file_;
  runtime::Session* const shown = served->session.get();
  return std::shared_ptr<runtime::Session>(std::move(served), shown);
}

}  // namespace anemone::facade
