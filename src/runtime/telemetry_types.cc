#include "runtime/telemetry_types.h"

#include <array>

#include "runtime/telemetry_event.h"

namespace anemone::runtime {
namespace {

// A reason is "none", a failure (in the order of the failures), or one of those at the end.
constexpr std::array<std::string_view, kFallbackReasonCount> kReasons = {
    "none",          "compile_error", "load_error", "schema_mismatch", "timeout", "memory_pressure",
    "runtime_error", "crash",         "non_finite", "parity_drift",    "unknown", "circuit_open",
    "not_ready",     "not_available", "dispatch"};
constexpr std::array<std::string_view, kEventTypeCount> kEvents = {
    "compile", "load", "first_inference", "inference", "fallback", "circuit", "memory", "note"};
constexpr std::array<std::string_view, kCircuitStateCount> kStates = {
    "closed", "open", "half_open", "disabled", "metrics_only", "forced_open"};

static_assert(static_cast<size_t>(FailureKind::kUnknown) + 1 ==
                  static_cast<size_t>(FallbackReason::kUnknown),
              "reasons repeat the failures, one further");

template <typename Enum, typename Names>
std::optional<Enum> Find(const Names& names, std::string_view name) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view FallbackReasonName(FallbackReason reason) {
  return kReasons[static_cast<size_t>(reason)];
}
std::optional<FallbackReason> FallbackReasonFromName(std::string_view name) {
  return Find<FallbackReason>(kReasons, name);
}
FallbackReason FallbackReasonOf(FailureKind kind) {
  return static_cast<FallbackReason>(static_cast<size_t>(kind) + 1);
}

std::string_view CircuitStateName(CircuitState state) {
  return kStates[static_cast<size_t>(state)];
}
std::optional<CircuitState> CircuitStateFromName(std::string_view name) {
  return Find<CircuitState>(kStates, name);
}

std::string_view EventTypeName(EventType type) { return kEvents[static_cast<size_t>(type)]; }

}  // namespace anemone::runtime
