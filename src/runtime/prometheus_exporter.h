// Prometheus exposition: the counts of telemetries and the gauges of breakers, as text or over HTTP
// (prometheus-cpp). Nothing listens unless Start is called; then on the given address only.
//
// Ownership: the exporter holds the sources' functions, which are called on its own threads while
// it lives. Thread rules: sources must be callable from any thread. Errors: kUnavailable where
// prometheus-cpp was absent when this was built; kIo when the address cannot be bound; kUsage when
// it is not an address. Names and labels are in docs/telemetry.md.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "runtime/circuit_breaker.h"
#include "runtime/telemetry.h"

namespace anemone::runtime {

// One model on one backend: its labels, its counts, its breaker (may be empty).
struct PrometheusSource {
  std::string model;
  std::string backend;
  std::string units;
  std::function<TelemetrySnapshot()> snapshot;
  std::function<BreakerGauges()> gauges;
};

// Whether this build has it.
bool PrometheusAvailable();

// The current exposition text (version 0.0.4).
Result<std::string> PrometheusText(const std::vector<PrometheusSource>& sources);

class PrometheusExporter {
 public:
  // Serves /metrics at "127.0.0.1:9464", or at a free port with ":0".
  static Result<std::unique_ptr<PrometheusExporter>> Start(const std::string& address,
                                                           std::vector<PrometheusSource> sources);
  PrometheusExporter(const PrometheusExporter&) = delete;
  PrometheusExporter& operator=(const PrometheusExporter&) = delete;
  ~PrometheusExporter();
  int port() const;

 private:
  struct Server;
  explicit PrometheusExporter(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace anemone::runtime
