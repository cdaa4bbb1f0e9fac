// Events that telemetry passes to its sinks: one plain struct for each thing that happened, and the
// interface of a sink. Counters do not go through here; events are for rare or requested things.
//
// Thread rules: events are values. A sink is called from any thread at once and must not call back
// into the Telemetry that feeds it. Errors: a sink that cannot write counts the events that it
// dropped; an event never fails a request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/telemetry_types.h"

namespace anemone::runtime {

enum class EventType : uint8_t {
  kCompile,
  kLoad,
  kFirstInference,
  kInference,  // only on request (TelemetryOptions::inference_events)
  kFallback,
  kCircuit,  // a breaker changed its state
  kMemory,   // a new high-water mark that crossed a step of 1/8
  kNote,     // anything else worth a line: a store that was reset, a cache entry dropped
};
inline constexpr size_t kEventTypeCount = 8;
// "compile", "load", "first_inference", "inference", "fallback", "circuit", "memory", "note".
std::string_view EventTypeName(EventType type);

// Fields that a type does not use keep their defaults and are not written.
struct Event {
  EventType type = EventType::kNote;
  int64_t time_unix_ns = 0;  // when it ended
  int64_t start_ns = 0;      // monotonic
  uint64_t thread = 0;       // small number of the thread
  // The owner: filled in by Telemetry from its labels when empty.
  std::string model;    // content hash
  std::string backend;  // "coreml", "cpu"
  std::string units;    // "all", "cpu_only", ...

  // compile, load, first_inference, inference
  int64_t duration_ns = 0;
  bool success = true;
  std::optional<FailureKind> failure;  // set when !success
  // first_inference, inference
  ComputeUnit planned = ComputeUnit::kUnknown;
  ComputeUnit observed = ComputeUnit::kUnknown;
  // fallback: the call went from `backend` to this one.
  std::string to_backend;
  FallbackReason reason = FallbackReason::kNone;
  // circuit
  CircuitState from = CircuitState::kClosed;
  CircuitState to = CircuitState::kClosed;
  int64_t wait_ns = 0;  // until the next probe; 0 unless `to` is open
  // memory
  int64_t memory_bytes = 0;
  // circuit: the rule that changed the state; note: the text.
  std::string text;
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Emit(const Event& event) = 0;
  // How many events could not be written so far.
  virtual uint64_t dropped() const { return 0; }
};

}  // namespace anemone::runtime
