// The vocabulary of the runtime: units, kinds of failure, reasons to fall back, states of a
// circuit, and their stable names in files. Standard library only, so that readers of run records
// need nothing else. Thread rules: values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace anemone::runtime {

// Where an inference ran. `planned` is what the system's plan said before the run, `observed` what
// was seen at run time. No public interface of Apple shows the ANE at run time, so `observed` is
// kUnknown unless the backend leaves no choice (Anemone's own executor is always kCpu): a plan is
// never reported as an observation.
enum class ComputeUnit : uint8_t { kUnknown, kCpu, kGpu, kAne, kMixed };
inline constexpr size_t kComputeUnitCount = 5;
// "unknown", "cpu", "gpu", "ane", "mixed".
std::string_view ComputeUnitName(ComputeUnit unit);
std::optional<ComputeUnit> ComputeUnitFromName(std::string_view name);

enum class FailureKind : uint8_t {
  kCompileError,
  kLoadError,
  kSchemaMismatch,  // the backend returned other names, shapes or dtypes than the model declares
  kTimeout,
  kMemoryPressure,
  kRuntimeError,
  kCrash,        // the process that ran it died
  kNonFinite,    // NaN or infinity where the inputs were finite
  kParityDrift,  // another answer than the CPU executor's
  kUnknown,
};
inline constexpr size_t kFailureKindCount = 10;
// "compile_error" and so on.
std::string_view FailureKindName(FailureKind kind);
std::optional<FailureKind> FailureKindFromName(std::string_view name);

// Why a call was answered by another backend than the first choice: its failure, or one of the
// reasons that follow.
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
  kNotReady,      // the preferred backend still compiles or warms up
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
