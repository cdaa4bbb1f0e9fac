// The vocabulary of the runtime: kinds of failure, reasons to fall back, states of a
// circuit, and their stable names in files. Thread rules: values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/compute_unit.h"
#include "exec/failure.h"

namespace anemone::runtime {

// Of the units of an inference, `planned` is what the system's plan said before the run, `observed`
// what was seen at run time. No public interface of Apple shows the ANE at run time, so `observed`
// is kUnknown unless the backend leaves no choice (Anemone's own executor is always kCpu): a plan
// is never reported as an observation.

using exec::FailureKind;
using exec::FailureKindFromName;
using exec::FailureKindName;
inline constexpr size_t kFailureKindCount = exec::kFailureKinds.size();

// Why another backend than the first choice answered a call: its failure, or one of the reasons
// after the failures.
enum class FallbackReason : uint8_t {
  kNone,
  kCompileError,
  kLoadError,
  kSchemaMismatch,
  kTimeout,
  kMemoryPressure,
  kRuntimeError,
  kCrash,
  kNonFinite,
  kParityDrift,
  kUnknown,
  kCircuitOpen,   // the breaker did not permit the call
  kNotReady,      // the preferred backend is still compiling or warming up
  kNotAvailable,  // the preferred backend cannot run on this machine
  kDispatch,      // another backend was measured to be faster
};
inline constexpr size_t kFallbackReasonCount = 15;
// "none", "compile_error", ... "circuit_open", "not_ready", "not_available", "dispatch".
std::string_view FallbackReasonName(FallbackReason reason);
std::optional<FallbackReason> FallbackReasonFromName(std::string_view name);
FallbackReason FallbackReasonOf(FailureKind kind);

enum class CircuitState : uint8_t {
  kClosed,       // calls pass and are counted
  kOpen,         // no call passes; after a wait, probes
  kHalfOpen,     // a fixed number of probes pass, no request does
  kDisabled,     // all pass, nothing is counted
  kMetricsOnly,  // all pass and are counted, nothing trips
  kForcedOpen,   // nothing passes until told otherwise
};
inline constexpr size_t kCircuitStateCount = 6;
// "closed", "open", "half_open", "disabled", "metrics_only", "forced_open".
std::string_view CircuitStateName(CircuitState state);
std::optional<CircuitState> CircuitStateFromName(std::string_view name);

}  // namespace anemone::runtime
