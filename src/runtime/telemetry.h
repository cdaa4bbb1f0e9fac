// Telemetry: what happened to one model on one machine, counted without a lock.
//
//   Telemetry telemetry({.model = hash, .backend = "coreml", .units = "all"});
//   telemetry.record_inference(duration_ns, true, ComputeUnit::kAne);   // planned; not observed
//   TelemetrySnapshot now = telemetry.Snapshot();
//
// Counting an inference bumps one cell of a table (planned unit x observed unit x outcome) and one
// bucket of a histogram; every total is a sum over those, and a snapshot is one consistent cut
// (telemetry_stripes.h), so that counts add up even while others record.
//
// Thread rules: every method from any thread at once, except AddSink, which comes first. Recording
// is lock-free and does not allocate after a thread's first call; events (compile, load, fallback)
// go to the sinks on the calling thread. Units: durations are nanoseconds. Errors: none; recording
// cannot fail.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "runtime/latency_histogram.h"
#include "runtime/process_memory.h"
#include "runtime/telemetry_clock.h"
#include "runtime/telemetry_event.h"
#include "runtime/telemetry_stripes.h"
#include "runtime/telemetry_types.h"

namespace anemone::runtime {

// Attempts of one kind. `latency` holds the durations of successes only: a failure that took the
// whole timeout says nothing about speed.
struct PhaseCounts {
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  std::array<uint64_t, kFailureKindCount> failures{};  // by kind; they add up to `failed`
  int64_t failed_ns = 0;                               // time spent on failures
  LatencyHistogram latency;

  uint64_t total() const { return succeeded + failed; }
};

// A plain value: the counts up to one moment.
struct TelemetrySnapshot {
  int64_t time_unix_ns = 0;
  PhaseCounts compile;
  PhaseCounts load;
  PhaseCounts first_inference;
  PhaseCounts inference;  // first inferences not included
  // Inferences by [planned][observed] unit.
  std::array<std::array<uint64_t, kComputeUnitCount>, kComputeUnitCount> inferences_by_unit{};
  std::array<uint64_t, kFallbackReasonCount> fallbacks{};  // by reason; [kNone] stays 0
  // Largest number given to record_memory, or the process's peak (TelemetryOptions); null when
  // neither is known.
  std::optional<int64_t> memory_high_water_bytes;
  uint64_t events_dropped = 0;  // by the sinks

  uint64_t planned(ComputeUnit unit) const;
  uint64_t observed(ComputeUnit unit) const;
  uint64_t failures(FailureKind kind) const;  // of all phases
  uint64_t total_failures() const;
  uint64_t total_fallbacks() const;
  // The counts of two telemetries together.
  void Merge(const TelemetrySnapshot& other);
};

// Whether the counts add up; kInternal names the sum that does not. A run record whose summary
// fails this was not written by us.
Status CheckConsistent(const TelemetrySnapshot& snapshot);

struct TelemetryOptions {
  std::string model = {};    // content hash
  std::string backend = {};  // first choice
  std::string units = {};
  // Also one event for each inference. Costs a sink call each: for traces, not for production.
  bool inference_events = false;
  // Snapshots also include the process's peak resident memory, for all its models together.
  bool process_memory = false;
  const Clock* clock = nullptr;  // null: the machine's; must outlive this
};

class Telemetry {
 public:
  explicit Telemetry(TelemetryOptions options = {});
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;
  ~Telemetry();

  // Call it before the first record. The sink may be shared with its flusher.
  void AddSink(std::shared_ptr<EventSink> sink);

  void record_compile(int64_t duration_ns, bool success,
                      FailureKind failure = FailureKind::kCompileError);
  void record_load(int64_t duration_ns, bool success,
                   FailureKind failure = FailureKind::kLoadError);
  // The first inference after a load, which pays for deferred work.
  void record_first_inference(int64_t duration_ns, bool success,
                              ComputeUnit planned = ComputeUnit::kUnknown,
                              ComputeUnit observed = ComputeUnit::kUnknown,
                              FailureKind failure = FailureKind::kRuntimeError);
  // Every other one. `planned` comes from a plan; `observed` only from an observation.
  void record_inference(int64_t duration_ns, bool success,
                        ComputeUnit planned = ComputeUnit::kUnknown,
                        ComputeUnit observed = ComputeUnit::kUnknown,
                        FailureKind failure = FailureKind::kRuntimeError);
  // A call went from one backend to the next.
  void record_fallback(FallbackReason reason, std::string_view from_backend,
                       std::string_view to_backend);
  // A level of memory in use; the highest is kept.
  void record_memory(int64_t bytes);
  // Passes an event on (a breaker's transition, a note), with empty labels and time filled in.
  void record_event(Event event);

  // Advice for callers without a circuit breaker: whether the work planned for other units than the
  // CPU fails so often that the CPU should answer. True when the last compile or load failed, the
  // last 3 such inferences failed, or 10 of the last 20 did. Inferences planned for the CPU do not
  // count; successes on other units (probes) make it false again.
  bool should_fallback_to_cpu() const;

  // All counts since the start. Waits only for other snapshots and for records in progress.
  TelemetrySnapshot Snapshot() const;

  const TelemetryOptions& options() const { return options_; }

 private:
  // The counters that one inference touches.
  struct Hot;
  struct Phase;

  void RecordPhase(Phase& phase, EventType type, const Event& outcome);
  void NoteOutcome(bool success);
  void Emit(Event&& event) const;

  TelemetryOptions options_;
  const Clock& clock_;
  std::vector<std::shared_ptr<EventSink>> sinks_;

  std::unique_ptr<Stripes<Hot>> hot_;
  std::unique_ptr<std::array<Phase, 3>> phases_;  // compile, load, first inference
  std::array<std::atomic<uint64_t>, kFallbackReasonCount> fallbacks_{};
  std::atomic<int64_t> memory_high_water_{-1};
  std::atomic<int64_t> memory_told_{0};

  // Outcomes of the last 64 inferences not planned for the CPU, the last in bit 0, 1 a failure.
  std::atomic<uint64_t> recent_failures_{0};
  std::atomic<bool> compile_failed_{false};
  std::atomic<bool> load_failed_{false};

  mutable std::mutex snapshot_mutex_;
  mutable TelemetrySnapshot drained_;  // counts that earlier snapshots moved out of hot_
};

}  // namespace anemone::runtime
