#include "runtime/prometheus_exporter.h"

#ifdef ANEMONE_HAVE_PROMETHEUS
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <exception>
#include <map>
#include <string_view>
#include <thread>
#include <utility>
#endif

namespace anemone::runtime {

#ifdef ANEMONE_HAVE_PROMETHEUS

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// Upper bounds of the histogram, in nanoseconds: 1, 2, 5 of each decade from 10 us to 100 s.
constexpr std::array<int64_t, 22> kBounds = {
    10'000,         20'000,         50'000,         100'000,        200'000,       500'000,
    1'000'000,      2'000'000,      5'000'000,      10'000'000,     20'000'000,    50'000'000,
    100'000'000,    200'000'000,    500'000'000,    1'000'000'000,  2'000'000'000, 5'000'000'000,
    10'000'000'000, 20'000'000'000, 50'000'000'000, 100'000'000'000};
constexpr std::array<std::pair<double, std::string_view>, 5> kQuantiles = {
    {{50, "0.5"}, {90, "0.9"}, {95, "0.95"}, {99, "0.99"}, {99.9, "0.999"}}};

double Seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

// The families by name; each is described once and gets a metric from each source.
class Families {
 public:
  void Counter(const char* name, const char* help, Labels labels, uint64_t value) {
    ClientMetric& metric = Add(name, help, MetricType::Counter, std::move(labels));
    metric.counter.value = static_cast<double>(value);
  }
  void Gauge(const char* name, const char* help, Labels labels, double value) {
    Add(name, help, MetricType::Gauge, std::move(labels)).gauge.value = value;
  }
  void Histogram(const char* name, const char* help, Labels labels,
                 const LatencyHistogram& latency) {
    ClientMetric& metric = Add(name, help, MetricType::Histogram, std::move(labels));
    metric.histogram.sample_count = latency.count();
    metric.histogram.sample_sum = Seconds(latency.sum_ns());
    for (const int64_t bound : kBounds) {
      metric.histogram.bucket.push_back({latency.CountAtOrBelow(bound), Seconds(bound)});
    }
  }
  std::vector<MetricFamily> Take() {
    std::vector<MetricFamily> out;
    for (auto& [name, family] : families_) out.push_back(std::move(family));
    return out;
  }

 private:
  ClientMetric& Add(const char* name, const char* help, MetricType type, Labels labels) {
    MetricFamily& family = families_[name];
    family.name = name;
    family.help = help;
    family.type = type;
    family.metric.emplace_back().label = std::move(labels);
    return family.metric.back();
  }
  std::map<std::string, MetricFamily> families_;
};

Labels With(Labels labels, std::initializer_list<std::pair<const char*, std::string_view>> more) {
  for (const auto& [name, value] : more) labels.push_back({name, std::string(value)});
  return labels;
}

void AddPhase(Families& out, const Labels& base, std::string_view phase,
              const PhaseCounts& counts) {
  constexpr const char* name = "anemone_attempts_total";
  constexpr const char* help = "Compiles, loads, first and other inferences, by outcome.";
  out.Counter(name, help, With(base, {{"phase", phase}, {"outcome", "success"}}), counts.succeeded);
  out.Counter(name, help, With(base, {{"phase", phase}, {"outcome", "failure"}}), counts.failed);
  for (size_t i = 0; i < kFailureKindCount; ++i) {
    if (counts.failures[i] == 0) continue;
    out.Counter(
        "anemone_failures_total", "What failed, by phase and kind.",
        With(base, {{"phase", phase}, {"kind", FailureKindName(static_cast<FailureKind>(i))}}),
        counts.failures[i]);
  }
}

void AddTelemetry(Families& out, const Labels& base, const TelemetrySnapshot& now) {
  AddPhase(out, base, "compile", now.compile);
  AddPhase(out, base, "load", now.load);
  AddPhase(out, base, "first_inference", now.first_inference);
  AddPhase(out, base, "inference", now.inference);
  for (size_t i = 0; i < kComputeUnitCount; ++i) {
    const auto unit = static_cast<ComputeUnit>(i);
    out.Counter("anemone_inferences_planned_total",
                "Inferences by the unit that the system's plan names; not an observation.",
                With(base, {{"unit", ComputeUnitName(unit)}}), now.planned(unit));
    out.Counter("anemone_inferences_observed_total",
                "Inferences by the unit that was seen to run them.",
                With(base, {{"unit", ComputeUnitName(unit)}}), now.observed(unit));
  }
  for (size_t i = 1; i < kFallbackReasonCount; ++i) {
    if (now.fallbacks[i] == 0) continue;
    out.Counter("anemone_fallbacks_total", "Calls that went on to the next backend, by reason.",
                With(base, {{"reason", FallbackReasonName(static_cast<FallbackReason>(i))}}),
                now.fallbacks[i]);
  }
  out.Histogram(
      "anemone_inference_duration_seconds",
      "Durations of successful inferences; a bound may include values up to 0.8 % above it.", base,
      now.inference.latency);
  if (now.inference.latency.count() > 0) {
    for (const auto& [percentile, quantile] : kQuantiles) {
      out.Gauge("anemone_inference_duration_quantile_seconds",
                "Percentiles of all successful inferences since the start, within 1 %.",
                With(base, {{"quantile", quantile}}),
                Seconds(now.inference.latency.Percentile(percentile)));
    }
  }
  if (now.memory_high_water_bytes) {
    out.Gauge("anemone_memory_high_water_bytes", "Largest memory in use that was recorded.", base,
              static_cast<double>(*now.memory_high_water_bytes));
  }
  out.Counter("anemone_events_dropped_total", "Events that a sink could not write.", base,
              now.events_dropped);
}

void AddBreaker(Families& out, const Labels& base, const BreakerGauges& gauges) {
  for (size_t i = 0; i < kCircuitStateCount; ++i) {
    const auto state = static_cast<CircuitState>(i);
    out.Gauge("anemone_circuit_state", "1 for the state that the circuit breaker is in.",
              With(base, {{"state", CircuitStateName(state)}}), state == gauges.state ? 1 : 0);
  }
  // An unknown rate has no sample, which is not the same as 0.
  if (gauges.failure_rate) {
    out.Gauge("anemone_circuit_failure_rate_percent", "Failures among the calls in the window.",
              base, *gauges.failure_rate);
  }
  if (gauges.slow_call_rate) {
    out.Gauge("anemone_circuit_slow_call_rate_percent", "Slow calls among those in the window.",
              base, *gauges.slow_call_rate);
  }
  out.Gauge("anemone_circuit_buffered_calls", "Calls in the window.", base,
            static_cast<double>(gauges.buffered_calls));
  out.Counter("anemone_circuit_not_permitted_calls_total", "Calls that the breaker refused.", base,
              gauges.not_permitted_calls);
  out.Counter("anemone_circuit_transitions_total", "Changes of the breaker's state.", base,
              gauges.transitions);
}

std::vector<MetricFamily> CollectAll(const std::vector<PrometheusSource>& sources) {
  Families out;
  for (const PrometheusSource& source : sources) {
    const Labels base = {
        {"model", source.model}, {"backend", source.backend}, {"compute_units", source.units}};
    if (source.snapshot) AddTelemetry(out, base, source.snapshot());
    if (source.gauges) AddBreaker(out, base, source.gauges());
  }
  return out.Take();
}

class Collector final : public prometheus::Collectable {
 public:
  explicit Collector(std::vector<PrometheusSource> sources) : sources_(std::move(sources)) {}
  std::vector<MetricFamily> Collect() const override { return CollectAll(sources_); }

 private:
  std::vector<PrometheusSource> sources_;
};

// "HOST:PORT" with a port; an address without a host would listen on the whole network.
Status CheckAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  const std::string_view digits =
      colon == std::string::npos ? "" : std::string_view(address).substr(colon + 1);
  uint16_t port = 0;
  const char* const begin = digits.data();
  const char* const end = begin + digits.size();
  const auto [rest, error] = std::from_chars(begin, end, port);
  if (colon == 0 || digits.empty() || error != std::errc() || rest != end) {
    return Usage("'{}' is not an address to listen on", address)
        .Advise("write HOST:PORT, for example 127.0.0.1:9464");
  }
  return {};
}

// Connects to the server's port and closes the connection. False when nothing listens any more.
bool Knock(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  const int fd = socket(found->ai_family, found->ai_socktype, 0);
  bool refused = false;
  if (fd >= 0) {
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    refused = connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno == ECONNREFUSED;
    close(fd);
  }
  freeaddrinfo(found);
  return !refused;
}

// The host of "HOST:PORT" or "[::1]:PORT".
std::string HostOf(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return host;
}

}  // namespace

struct PrometheusExporter::Server {
  std::string host;
  std::shared_ptr<Collector> collector;
  std::unique_ptr<prometheus::Exposer> exposer;

  // civetweb's listening thread checks its stop flag only when its poll of the socket returns,
  // every two seconds or on a connection. So the destructor connects until the thread has stopped.
  ~Server() {
    if (exposer == nullptr) return;
    const auto ports = exposer->GetListeningPorts();
    std::atomic<bool> stopped{false};
    std::thread knocker;
    if (!ports.empty()) {
      knocker = std::thread([&, port = ports.front()] {
        while (!stopped.load(std::memory_order_acquire) && Knock(host, port)) {
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
      });
    }
    exposer.reset();
    stopped.store(true, std::memory_order_release);
    if (knocker.joinable()) knocker.join();
  }
};

bool PrometheusAvailable() { return true; }

Result<std::string> PrometheusText(const std::vector<PrometheusSource>& sources) {
  return prometheus::TextSerializer().Serialize(CollectAll(sources));
}

Result<std::unique_ptr<PrometheusExporter>> PrometheusExporter::Start(
    const std::string& address, std::vector<PrometheusSource> sources) {
  ANEMONE_TRY(CheckAddress(address));
  auto server = std::make_unique<Server>();
  server->host = HostOf(address);
  server->collector = std::make_shared<Collector>(std::move(sources));
  try {
    server->exposer = std::make_unique<prometheus::Exposer>(address, 1);
    server->exposer->RegisterCollectable(server->collector);
  } catch (const std::exception& error) {
    return IoError("cannot serve metrics at {}: {}", address, error.what())
        .Advise("the port may be taken; port 0 finds a free one");
  }
  return std::unique_ptr<PrometheusExporter>(new PrometheusExporter(std::move(server)));
}

int PrometheusExporter::port() const {
  const auto ports = server_->exposer->GetListeningPorts();
  return ports.empty() ? 0 : ports.front();
}

#else

struct PrometheusExporter::Server {};

namespace {

Error Absent() {
  return Unavailable("this build has no Prometheus exposition")
      .Advise("install prometheus-cpp (Debian: prometheus-cpp-dev) and build again");
}

}  // namespace

bool PrometheusAvailable() { return false; }
Result<std::string> PrometheusText(const std::vector<PrometheusSource>& /*sources*/) {
  return Absent();
}
Result<std::unique_ptr<PrometheusExporter>> PrometheusExporter::Start(
    const std::string& /*address*/, std::vector<PrometheusSource> /*sources*/) {
  return Absent();
}
int PrometheusExporter::port() const { return 0; }

#endif

PrometheusExporter::PrometheusExporter(std::unique_ptr<Server> server)
    : server_(std::move(server)) {}
PrometheusExporter::~PrometheusExporter() = default;

}  // namespace anemone::runtime
