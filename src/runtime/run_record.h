// A run record (run.jsonl): what ran, on which machine, and one line for each call, with lines of
// memory samples and of measured parity among them. This header holds the values, with the standard
// library only; run_record_io.h reads and writes them, and docs/telemetry.md and
// docs/schemas/run.schema.json describe the file.
//
// Units: nanoseconds as integers. Unknown is null (an empty optional), never 0 and never a guess.
// Thread rules: values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/telemetry_types.h"

namespace anemone::runtime {

inline constexpr const char* kRunSchema = "anemone.run";
inline constexpr int kRunSchemaVersion = 1;

// The machine, as far as it could be found out.
struct RunMachine {
  std::string os;                             // "macos", "linux"
  std::optional<std::string> os_version;      // "15.1", "Debian GNU/Linux 12 (bookworm)"
  std::optional<std::string> os_build;        // "24B83"; the kernel's release on Linux
  std::string architecture;                   // "arm64", "x86_64"
  std::optional<std::string> hardware_model;  // "MacBookPro18,3"
  std::optional<std::string> chip;            // "Apple M1 Pro", "AMD EPYC ..."
  std::optional<int64_t> cores;
  std::optional<int64_t> memory_bytes;
  std::optional<std::string> thermal_state;  // "nominal", "fair", "serious", "critical"
  std::optional<std::string> power_mode;     // "normal", "low_power"
  std::optional<std::string> qos;  // "user_interactive", "user_initiated", "default", "utility",
                                   // "background"
  bool operator==(const RunMachine&) const = default;
};

// The first line.
struct RunHeader {
  int64_t time_unix_ns = 0;
  std::string tool_version;
  RunMachine machine;
  std::string model;       // a name for people: the file's, or the catalog's
  std::string model_hash;  // SHA-256 of the content, 64 hexadecimal digits
  int64_t threads = 0;     // of the executor
  int64_t clients = 1;     // callers at once
  std::string backend;     // the first choice
  std::string compute_units;
  // Where the system's plan puts each operator, by the operator's name; null when there is no plan.
  std::optional<std::vector<std::pair<std::string, ComputeUnit>>> planned_units;
  bool operator==(const RunHeader&) const = default;
};

// One call.
struct RunCall {
  int64_t index = 0;     // 0, 1, 2 ... without a gap, in the order of the lines
  int64_t start_ns = 0;  // since the run began
  int64_t duration_ns = 0;
  bool ok = true;
  std::string backend;  // the one that answered, or the last one tried
  ComputeUnit planned = ComputeUnit::kUnknown;
  ComputeUnit observed = ComputeUnit::kUnknown;  // never taken from a plan
  int64_t attempts = 1;                          // backends tried
  FallbackReason fallback_reason = FallbackReason::kNone;
  std::optional<CircuitState> circuit_state;  // of the first choice; null when it has no breaker
  std::optional<FailureKind> failure;         // set exactly when !ok
  bool operator==(const RunCall&) const = default;
};

// A sample of the process's resident memory, between calls.
struct RunMemory {
  int64_t time_ns = 0;  // since the run began
  int64_t calls = 0;    // of this record so far
  int64_t resident_bytes = 0;
  bool operator==(const RunMemory&) const = default;
};

// How far one output was from its reference's, over several inputs.
struct RunParity {
  std::string output;
  std::string inputs;     // "synthetic" or "real"
  std::string reference;  // what it was compared with: "cpu", or a model's name
  std::string precision;  // of the model: "fp32", "fp16", "int8"
  int64_t samples = 0;    // inputs
  int64_t non_finite = 0;
  // The two figures that limits apply to; null when they are not finite.
  std::optional<double> l_inf;
  std::optional<double> rmse;
  bool relative = false;  // divided by the reference's range
  bool operator==(const RunParity&) const = default;
};

// The attempts of one phase (TelemetrySnapshot's PhaseCounts without the histogram).
struct RunPhase {
  int64_t succeeded = 0;
  int64_t failed = 0;
  std::optional<int64_t> p50_ns;  // of the successes; null if there are none
  bool operator==(const RunPhase&) const = default;
};

struct RunLatency {
  int64_t min_ns = 0, p50_ns = 0, p90_ns = 0, p95_ns = 0, p99_ns = 0, p999_ns = 0, max_ns = 0;
  bool operator==(const RunLatency&) const = default;
};

// The last line. The first group counts the lines above, and must agree with them; the second is
// telemetry's, which also counts warm-up calls and each attempt of a call separately.
struct RunSummary {
  int64_t calls = 0;
  int64_t ok = 0;
  int64_t failed = 0;
  std::array<int64_t, kFailureKindCount> failures{};      // by kind
  std::array<int64_t, kFallbackReasonCount> fallbacks{};  // by reason; [kNone] stays 0
  std::array<int64_t, kComputeUnitCount> planned{};       // by unit
  std::array<int64_t, kComputeUnitCount> observed{};      // by unit
  std::optional<RunLatency> latency;  // of the ok calls, within 1 %; null if there are none

  RunPhase compile, load, first_inference, inference;
  std::optional<int64_t> memory_high_water_bytes;
  int64_t circuit_transitions = 0;
  int64_t events_dropped = 0;
  bool operator==(const RunSummary&) const = default;
};

struct RunRecord {
  RunHeader header;
  std::vector<RunCall> calls;
  std::vector<RunMemory> memory;
  std::vector<RunParity> parity;
  std::optional<RunSummary> summary;  // null: the run did not end normally
  bool torn = false;                  // an incomplete last line was left out
};

}  // namespace anemone::runtime
