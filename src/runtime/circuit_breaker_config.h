// The parameters of a circuit breaker: resilience4j's by their names in snake case, two of
// Envoy's, and our own for latency and memory. They are read from JSON, where durations are text
// with a unit.
//
//   {"sliding_window_type": "time", "sliding_window_size": 60, "consecutive_failures": 5,
//    "slow_call_duration_threshold": "10x", "wait_duration_in_open_state": "30s"}
//
// Thread rules: a value. Errors: kUsage, naming the key and the rule.
// Source: resilience4j CircuitBreakerConfig; Envoy outlier detection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "runtime/telemetry_types.h"

namespace anemone::runtime {

enum class WindowType : uint8_t { kCount, kTime };

struct BreakerConfig {
  // The calls over which rates are taken: the last `size` calls, or those of the last
  // `size` seconds.
  WindowType sliding_window_type = WindowType::kCount;
  int64_t sliding_window_size = 100;
  // Rates are not judged below this many calls in the window.
  int64_t minimum_number_of_calls = 10;
  // Per cent of the calls in the window; opens at or above. 0: not judged.
  double failure_rate_threshold = 50;
  double slow_call_rate_threshold = 80;
  // Opens at this many consecutive failures, however few calls there were. 0: not judged.
  int64_t consecutive_failures = 3;
  // A call is slow at or above this. Unset: `slow_call_baseline_factor` times the baseline p50
  // given to SetBaseline; until then no call is slow.
  std::optional<int64_t> slow_call_duration_threshold_ns;
  double slow_call_baseline_factor = 10;
  // Opens when the window's p99 exceeds this, judged from 100 calls on (or a full smaller window):
  // with fewer, p99 is just the worst call. 0: not judged.
  int64_t latency_sla_p99_ns = 0;
  // Opens when JudgeMemory is given more. 0: not judged.
  int64_t memory_limit_bytes = 0;

  // How long it stays open: the first wait, times the multiplier for each further opening without a
  // closing in between, at most the maximum, plus or minus the jitter (a share of the wait).
  int64_t wait_duration_in_open_state_ns = 30'000'000'000;
  double wait_backoff_multiplier = 2;
  int64_t max_wait_duration_in_open_state_ns = 600'000'000'000;
  double wait_jitter = 0.1;
  uint64_t wait_jitter_seed = 0;
  // Probes that must all pass before it closes.
  int64_t permitted_number_of_calls_in_half_open_state = 3;

  // If false, such an answer counts as a success.
  bool record_nonfinite_as_failure = true;
  bool record_parity_drift_as_failure = true;

  // Limits that a session sets on the backend's work; the breaker only stores them. An ANE compile
  // can take minutes.
  int64_t load_timeout_ns = 300'000'000'000;
  int64_t predict_timeout_ns = 30'000'000'000;

  // kClosed, or one of the administrative states.
  CircuitState initial_state = CircuitState::kClosed;

  bool operator==(const BreakerConfig&) const = default;
};

// Checks every rule on the values; reports the first broken one.
Status Validate(const BreakerConfig& config);

// Parses an object with any of the keys above (durations without their _ns, as "30s"; see
// docs/telemetry.md). Omitted keys keep their defaults; unknown ones are an error. `place` names
// the file in errors.
Result<BreakerConfig> ParseBreakerConfig(std::string_view json, std::string_view place);
// All keys with their values; ParseBreakerConfig reads it back.
std::string BreakerConfigToJson(const BreakerConfig& config);

// "250ms", "30s", "1.5min"; units ns, us, ms, s, min, h. kUsage.
Result<int64_t> ParseDurationNs(std::string_view text);
// The shortest exact form, in the largest unit that divides it.
std::string DurationText(int64_t duration_ns);

}  // namespace anemone::runtime
