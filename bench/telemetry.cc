// The cost of telemetry and of the circuit breaker on the path of a request, alone and with 8
// threads at once. Look at the CPU column: processor time for each operation, the cost of one call
// to its thread. With more threads than cores the other column also counts waiting for a core, and
// divides by the number of threads.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/circuit_breaker.h"
#include "runtime/latency_histogram.h"
#include "runtime/telemetry.h"

namespace {

using anemone::ComputeUnit;
using namespace anemone::runtime;

// Durations like a model's: around 1 ms, with a tail.
std::vector<int64_t> Durations() {
  std::vector<int64_t> out(4096);
  uint64_t random = 88172645463325252ULL;
  for (int64_t& duration : out) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    duration = 900'000 + static_cast<int64_t>(random % 200'000) * (random % 128 == 0 ? 50 : 1);
  }
  return out;
}

const std::vector<int64_t>& SharedDurations() {
  static const std::vector<int64_t> durations = Durations();
  return durations;
}

// Runs `body(duration)` on every thread of the benchmark.
template <typename Body>
void Loop(benchmark::State& state, Body&& body) {
  const auto& durations = SharedDurations();
  size_t i = 0;
  for (auto _ : state) body(durations[i++ & 4095]);
  state.SetItemsProcessed(state.iterations());
}

void RecordInference(benchmark::State& state) {
  static Telemetry telemetry;
  Loop(state, [](int64_t ns) { telemetry.record_inference(ns, true, ComputeUnit::kAne); });
}

void RecordFailure(benchmark::State& state) {
  static Telemetry telemetry;
  Loop(state, [](int64_t ns) {
    telemetry.record_inference(ns, false, ComputeUnit::kAne, ComputeUnit::kUnknown,
                               FailureKind::kTimeout);
  });
}

// One thread takes snapshots as fast as it can while the others record.
void RecordWhileSnapshotsAreTaken(benchmark::State& state) {
  static Telemetry telemetry;
  if (state.thread_index() == 0) {
    for (auto _ : state) benchmark::DoNotOptimize(telemetry.Snapshot().inference.succeeded);
    return;
  }
  Loop(state, [](int64_t ns) { telemetry.record_inference(ns, true, ComputeUnit::kAne); });
}

void Snapshot(benchmark::State& state) {
  Telemetry telemetry;
  for (const int64_t ns : SharedDurations()) telemetry.record_inference(ns, true);
  for (auto _ : state) {
    telemetry.record_inference(1'000'000, true);
    benchmark::DoNotOptimize(telemetry.Snapshot().inference.succeeded);
  }
}

void HistogramRecord(benchmark::State& state) {
  LatencyHistogram histogram;
  Loop(state, [&](int64_t ns) { histogram.Record(ns); });
}

void HistogramPercentile(benchmark::State& state) {
  LatencyHistogram histogram;
  for (const int64_t ns : SharedDurations()) histogram.Record(ns);
  for (auto _ : state) benchmark::DoNotOptimize(histogram.Percentile(99));
}

// A request that passes and succeeds: the window is full of successes, as it is in production.
void BreakerClosed(benchmark::State& state) {
  static CircuitBreaker breaker{BreakerConfig{}};
  for (int i = 0; i < 200; ++i) breaker.Acquire().Success(1);
  Loop(state, [](int64_t ns) { breaker.Acquire().Success(ns); });
}

// The same where the rates must be computed each time: a window by time.
void BreakerClosedTimeWindow(benchmark::State& state) {
  static CircuitBreaker breaker = [] {
    BreakerConfig config;
    config.sliding_window_type = WindowType::kTime;
    return CircuitBreaker(config);
  }();
  Loop(state, [](int64_t ns) { breaker.Acquire().Success(ns); });
}

void BreakerOpen(benchmark::State& state) {
  static CircuitBreaker breaker{BreakerConfig{}};
  breaker.Trip(FailureKind::kCrash);
  Loop(state, [](int64_t) { benchmark::DoNotOptimize(static_cast<bool>(breaker.Acquire())); });
}

BENCHMARK(RecordInference)->Threads(1)->Threads(8);
BENCHMARK(RecordFailure)->Threads(1)->Threads(8);
BENCHMARK(RecordWhileSnapshotsAreTaken)->Threads(8);
BENCHMARK(Snapshot);
BENCHMARK(HistogramRecord);
BENCHMARK(HistogramPercentile);
BENCHMARK(BreakerClosed)->Threads(1)->Threads(8);
BENCHMARK(BreakerClosedTimeWindow)->Threads(1)->Threads(8);
BENCHMARK(BreakerOpen)->Threads(1)->Threads(8);

}  // namespace

BENCHMARK_MAIN();
