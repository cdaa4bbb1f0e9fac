// The kinds of backend failure, as telemetry counts them and the circuit breaker judges them, and
// how an Error carries its kind: the message begins with the name and a colon ("load_error:
// com.apple.CoreML 3: ..."). The caller's own mistakes (kUsage, kCancelled) do not count as
// failures of the backend. Thread rules: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace anemone::exec {

enum class FailureKind : uint8_t {
  kCompileError,    // the system refused to compile the model
  kLoadError,       // the compiled model could not be loaded
  kSchemaMismatch,  // outputs missing, or of another shape or dtype than the model declares
  kTimeout,
  kMemoryPressure,
  kRuntimeError,  // a call failed, or threw
  kCrash,         // the process that ran it died by a signal
  kNonFinite,     // NaN or infinity where the reference has none
  kParityDrift,   // finite, and wrong
  kUnknown,
};
inline constexpr std::array kFailureKinds{FailureKind::kCompileError,   FailureKind::kLoadError,
                                          FailureKind::kSchemaMismatch, FailureKind::kTimeout,
                                          FailureKind::kMemoryPressure, FailureKind::kRuntimeError,
                                          FailureKind::kCrash,          FailureKind::kNonFinite,
                                          FailureKind::kParityDrift,    FailureKind::kUnknown};

// "compile_error" and so on: stable names for records and reports.
std::string_view FailureKindName(FailureKind kind);
std::optional<FailureKind> FailureKindFromName(std::string_view name);

// A backend error that carries `kind`, which determines its code and so its exit code.
Error Failure(FailureKind kind, std::string_view message);
// The kind that `error` carries, else what its code implies. Nullopt when it is the caller's
// own mistake (kUsage, kInvalidInput, kNotFound) or a cancelled call, neither of which counts
// as a failure.
std::optional<FailureKind> FailureKindOf(const Error& error);

}  // namespace anemone::exec
