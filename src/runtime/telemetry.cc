#include "runtime/telemetry.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace anemone::runtime {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint64_t kLast3 = 0x7;
constexpr uint64_t kLast20 = (1 << 20) - 1;
constexpr int kManyOfLast20 = 10;

template <size_t kSize>
uint64_t Sum(const std::array<uint64_t, kSize>& values) {
  return std::accumulate(values.begin(), values.end(), uint64_t{0});
}

template <size_t kSize>
void Add(std::array<uint64_t, kSize>& to, const std::array<uint64_t, kSize>& from) {
  for (size_t i = 0; i < kSize; ++i) to[i] += from[i];
}

void Add(PhaseCounts& to, const PhaseCounts& from) {
  to.succeeded += from.succeeded;
  to.failed += from.failed;
  Add(to.failures, from.failures);
  to.failed_ns += from.failed_ns;
  to.latency.Merge(from.latency);
}

Status CheckPhase(const PhaseCounts& phase, std::string_view name) {
  if (Sum(phase.failures) != phase.failed) {
    return Internal("{}: failures by kind add up to {}, not to the {} that failed", name,
                    Sum(phase.failures), phase.failed);
  }
  if (phase.latency.count() != phase.succeeded) {
    return Internal("{}: {} latencies for {} successes", name, phase.latency.count(),
                    phase.succeeded);
  }
  return {};
}

void CountOutcome(PhaseCounts& phase, int64_t duration_ns,
                  const std::optional<FailureKind>& failure) {
  if (failure) {
    ++phase.failed;
    ++phase.failures[static_cast<size_t>(*failure)];
    phase.failed_ns += std::max<int64_t>(duration_ns, 0);
  } else {
    ++phase.succeeded;
    phase.latency.Record(duration_ns);
  }
}

}  // namespace

// [planned][observed][0: success, 1 + kind: failure].
struct Telemetry::Hot {
  static constexpr size_t kOutcomes = kFailureKindCount + 1;
  std::array<std::atomic<uint64_t>, kComputeUnitCount * kComputeUnitCount * kOutcomes> cells{};
  std::atomic<int64_t> failed_ns{0};
  AtomicLatencyHistogram latency;

  static size_t CellOf(ComputeUnit planned, ComputeUnit observed) {
    return (static_cast<size_t>(planned) * kComputeUnitCount + static_cast<size_t>(observed)) *
           kOutcomes;
  }

  void DrainInto(TelemetrySnapshot& out) {
    latency.DrainInto(out.inference.latency);
    out.inference.failed_ns += failed_ns.exchange(0, kRelaxed);
    for (size_t i = 0; i < cells.size(); ++i) {
      const uint64_t count = cells[i].exchange(0, kRelaxed);
      if (count == 0) continue;
      const size_t pair = i / kOutcomes;
      const size_t outcome = i % kOutcomes;
      out.inferences_by_unit[pair / kComputeUnitCount][pair % kComputeUnitCount] += count;
      if (outcome == 0) {
        out.inference.succeeded += count;
      } else {
        out.inference.failed += count;
        out.inference.failures[outcome - 1] += count;
      }
    }
  }
};

// Rare events, so a lock is fine.
struct Telemetry::Phase {
  mutable std::mutex mutex;
  PhaseCounts counts;
};

uint64_t TelemetrySnapshot::planned(ComputeUnit unit) const {
  return Sum(inferences_by_unit[static_cast<size_t>(unit)]);
}

uint64_t TelemetrySnapshot::observed(ComputeUnit unit) const {
  uint64_t sum = 0;
  for (const auto& row : inferences_by_unit) sum += row[static_cast<size_t>(unit)];
  return sum;
}

uint64_t TelemetrySnapshot::failures(FailureKind kind) const {
  const auto i = static_cast<size_t>(kind);
  return compile.failures[i] + load.failures[i] + first_inference.failures[i] +
         inference.failures[i];
}

uint64_t TelemetrySnapshot::total_failures() const {
  return compile.failed + load.failed + first_inference.failed + inference.failed;
}

uint64_t TelemetrySnapshot::total_fallbacks() const { return Sum(fallbacks); }

void TelemetrySnapshot::Merge(const TelemetrySnapshot& other) {
  time_unix_ns = std::max(time_unix_ns, other.time_unix_ns);
  Add(compile, other.compile);
  Add(load, other.load);
  Add(first_inference, other.first_inference);
  Add(inference, other.inference);
  for (size_t i = 0; i < kComputeUnitCount; ++i) {
    Add(inferences_by_unit[i], other.inferences_by_unit[i]);
  }
  Add(fallbacks, other.fallbacks);
  if (other.memory_high_water_bytes) {
    memory_high_water_bytes =
        std::max(memory_high_water_bytes.value_or(0), *other.memory_high_water_bytes);
  }
  events_dropped += other.events_dropped;
}

Status CheckConsistent(const TelemetrySnapshot& snapshot) {
  ANEMONE_TRY(CheckPhase(snapshot.compile, "compile"));
  ANEMONE_TRY(CheckPhase(snapshot.load, "load"));
  ANEMONE_TRY(CheckPhase(snapshot.first_inference, "first_inference"));
  ANEMONE_TRY(CheckPhase(snapshot.inference, "inference"));
  uint64_t by_unit = 0;
  for (const auto& row : snapshot.inferences_by_unit) by_unit += Sum(row);
  if (by_unit != snapshot.inference.total()) {
    return Internal("inferences by unit add up to {}, not to {}", by_unit,
                    snapshot.inference.total());
  }
  if (snapshot.fallbacks[static_cast<size_t>(FallbackReason::kNone)] != 0) {
    return Internal("fallbacks without a reason were counted");
  }
  return {};
}

Telemetry::Telemetry(TelemetryOptions options)
    : options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : Clock::System()),
      hot_(std::make_unique<Stripes<Hot>>()),
      phases_(std::make_unique<std::array<Phase, 3>>()) {}

Telemetry::~Telemetry() = default;

void Telemetry::AddSink(std::shared_ptr<EventSink> sink) { sinks_.push_back(std::move(sink)); }

void Telemetry::RecordPhase(Phase& phase, EventType type, const Event& outcome) {
  {
    const std::lock_guard lock(phase.mutex);
    CountOutcome(phase.counts, outcome.duration_ns, outcome.failure);
  }
  if (sinks_.empty()) return;
  Event event = outcome;
  event.type = type;
  event.success = !outcome.failure;
  Emit(std::move(event));
}

void Telemetry::record_compile(int64_t duration_ns, bool success, FailureKind failure) {
  compile_failed_.store(!success, kRelaxed);
  Event outcome;
  outcome.duration_ns = duration_ns;
  if (!success) outcome.failure = failure;
  RecordPhase((*phases_)[0], EventType::kCompile, outcome);
}

void Telemetry::record_load(int64_t duration_ns, bool success, FailureKind failure) {
  load_failed_.store(!success, kRelaxed);
  Event outcome;
  outcome.duration_ns = duration_ns;
  if (!success) outcome.failure = failure;
  RecordPhase((*phases_)[1], EventType::kLoad, outcome);
}

void Telemetry::record_first_inference(int64_t duration_ns, bool success, ComputeUnit planned,
                                       ComputeUnit observed, FailureKind failure) {
  if (planned != ComputeUnit::kCpu) NoteOutcome(success);
  Event outcome;
  outcome.duration_ns = duration_ns;
  outcome.planned = planned;
  outcome.observed = observed;
  if (!success) outcome.failure = failure;
  RecordPhase((*phases_)[2], EventType::kFirstInference, outcome);
}

void Telemetry::record_inference(int64_t duration_ns, bool success, ComputeUnit planned,
                                 ComputeUnit observed, FailureKind failure) {
  hot_->Write([&](Hot& hot) {
    const size_t cell = Hot::CellOf(planned, observed);
    if (success) {
      hot.cells[cell].fetch_add(1, kRelaxed);
      hot.latency.Record(duration_ns);
    } else {
      hot.cells[cell + 1 + static_cast<size_t>(failure)].fetch_add(1, kRelaxed);
      hot.failed_ns.fetch_add(std::max<int64_t>(duration_ns, 0), kRelaxed);
    }
  });
  if (planned != ComputeUnit::kCpu) NoteOutcome(success);
  if (!options_.inference_events || sinks_.empty()) return;
  Event event;
  event.type = EventType::kInference;
  event.duration_ns = duration_ns;
  event.success = success;
  if (!success) event.failure = failure;
  event.planned = planned;
  event.observed = observed;
  Emit(std::move(event));
}

// Without failures the register is 0 and a success leaves it 0, so nothing is written.
void Telemetry::NoteOutcome(bool success) {
  uint64_t seen = recent_failures_.load(kRelaxed);
  if (success && seen == 0) return;
  while (!recent_failures_.compare_exchange_weak(seen, seen << 1 | (success ? 0 : 1), kRelaxed)) {
  }
}

bool Telemetry::should_fallback_to_cpu() const {
  if (compile_failed_.load(kRelaxed) || load_failed_.load(kRelaxed)) return true;
  const uint64_t failures = recent_failures_.load(kRelaxed);
  return (failures & kLast3) == kLast3 || std::popcount(failures & kLast20) >= kManyOfLast20;
}

void Telemetry::record_fallback(FallbackReason reason, std::string_view from_backend,
                                std::string_view to_backend) {
  if (reason == FallbackReason::kNone) reason = FallbackReason::kUnknown;
  fallbacks_[static_cast<size_t>(reason)].fetch_add(1, kRelaxed);
  if (sinks_.empty()) return;
  Event event;
  event.type = EventType::kFallback;
  event.backend = from_backend;
  event.to_backend = to_backend;
  event.reason = reason;
  Emit(std::move(event));
}

void Telemetry::record_memory(int64_t bytes) {
  int64_t seen = memory_high_water_.load(kRelaxed);
  while (bytes > seen && !memory_high_water_.compare_exchange_weak(seen, bytes, kRelaxed)) {
  }
  if (bytes <= seen || sinks_.empty()) return;
  // A mark that grows page by page is reported in steps, not each time.
  int64_t told = memory_told_.load(kRelaxed);
  if (bytes < told + told / 8) return;
  if (!memory_told_.compare_exchange_strong(told, bytes, kRelaxed)) return;
  Event event;
  event.type = EventType::kMemory;
  event.memory_bytes = bytes;
  Emit(std::move(event));
}

void Telemetry::record_event(Event event) {
  if (!sinks_.empty()) Emit(std::move(event));
}

void Telemetry::Emit(Event&& event) const {
  if (event.time_unix_ns == 0) event.time_unix_ns = clock_.unix_ns();
  if (event.start_ns == 0) event.start_ns = clock_.monotonic_ns() - event.duration_ns;
  event.thread = ThreadNumber();
  if (event.model.empty()) event.model = options_.model;
  if (event.backend.empty()) event.backend = options_.backend;
  if (event.units.empty()) event.units = options_.units;
  for (const auto& sink : sinks_) sink->Emit(event);
}

TelemetrySnapshot Telemetry::Snapshot() const {
  TelemetrySnapshot out;
  {
    const std::lock_guard lock(snapshot_mutex_);
    hot_->Drain([this](Hot& hot) { hot.DrainInto(drained_); });
    out = drained_;
  }
  out.time_unix_ns = clock_.unix_ns();
  PhaseCounts* const targets[] = {&out.compile, &out.load, &out.first_inference};
  for (size_t i = 0; i < 3; ++i) {
    const Phase& phase = (*phases_)[i];
    const std::lock_guard lock(phase.mutex);
    *targets[i] = phase.counts;
  }
  for (size_t i = 0; i < kFallbackReasonCount; ++i) out.fallbacks[i] = fallbacks_[i].load(kRelaxed);
  const int64_t memory = memory_high_water_.load(kRelaxed);
  if (memory >= 0) out.memory_high_water_bytes = memory;
  if (options_.process_memory) {
    // An empty optional is below every number.
    out.memory_high_water_bytes = std::max(out.memory_high_water_bytes, PeakResidentBytes());
  }
  for (const auto& sink : sinks_) out.events_dropped += sink->dropped();
  return out;
}

}  // namespace anemone::runtime
