#include "exec/failure.h"

#include <utility>

namespace anemone::exec {
namespace {

struct Row {
  FailureKind kind;
  std::string_view name;
  ErrorCode code;
};
constexpr std::array<Row, kFailureKinds.size()> kRows{{
    {FailureKind::kCompileError, "compile_error", ErrorCode::kUnsupported},
    {FailureKind::kLoadError, "load_error", ErrorCode::kUnsupported},
    {FailureKind::kSchemaMismatch, "schema_mismatch", ErrorCode::kBackendCrashed},
    {FailureKind::kTimeout, "timeout", ErrorCode::kTimeout},
    {FailureKind::kMemoryPressure, "memory_pressure", ErrorCode::kBackendCrashed},
    {FailureKind::kRuntimeError, "runtime_error", ErrorCode::kBackendCrashed},
    {FailureKind::kCrash, "crash", ErrorCode::kBackendCrashed},
    {FailureKind::kNonFinite, "non_finite", ErrorCode::kMismatch},
    {FailureKind::kParityDrift, "parity_drift", ErrorCode::kMismatch},
    {FailureKind::kUnknown, "unknown", ErrorCode::kBackendCrashed},
}};

const Row& RowOf(FailureKind kind) {
  for (const Row& row : kRows) {
    if (row.kind == kind) return row;
  }
  return kRows.back();
}

}  // namespace

std::string_view FailureKindName(FailureKind kind) { return RowOf(kind).name; }

std::optional<FailureKind> FailureKindFromName(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.kind;
  }
  return std::nullopt;
}

Error Failure(FailureKind kind, std::string_view message) {
  const Row& row = RowOf(kind);
  return {row.code, fmt::format("{}: {}", row.name, message)};
}

std::optional<FailureKind> FailureKindOf(const Error& error) {
  const std::string_view message = error.message();
  if (const size_t colon = message.find(':'); colon != std::string_view::npos) {
    if (const auto kind = FailureKindFromName(message.substr(0, colon))) return kind;
  }
  switch (error.code()) {
    case ErrorCode::kUsage:
    case ErrorCode::kInvalidInput:
    case ErrorCode::kNotFound:
    case ErrorCode::kCancelled:
      return std::nullopt;
    case ErrorCode::kTimeout:
      return FailureKind::kTimeout;
    case ErrorCode::kBackendCrashed:
      return FailureKind::kCrash;
    case ErrorCode::kMismatch:
      return FailureKind::kParityDrift;
    case ErrorCode::kUnsupported:
    case ErrorCode::kUnavailable:
    case ErrorCode::kUnitNotObtained:
      return FailureKind::kLoadError;
    case ErrorCode::kIo:
    case ErrorCode::kInconclusive:
    case ErrorCode::kInternal:
      return FailureKind::kRuntimeError;
  }
  return FailureKind::kUnknown;
}

}  // namespace anemone::exec
