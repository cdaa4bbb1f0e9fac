// The error codes as a table, for the reference (docs/reference/exit-codes.md). Thread rules: a
// constant.
#pragma once

#include <array>
#include <string_view>

#include "base/status.h"

namespace anemone {

struct ErrorCodeRow {
  ErrorCode code;
  std::string_view meaning;
};

// Each code once; ExitCode and ErrorCodeName say the rest.
inline constexpr std::array kErrorCodes = std::to_array<ErrorCodeRow>({
    {ErrorCode::kMismatch, "a comparison or a gate failed"},
    {ErrorCode::kUsage, "wrong arguments or configuration: the caller's mistake"},
    {ErrorCode::kInvalidInput, "a file or model breaks its format's rules"},
    {ErrorCode::kUnsupported,
     "valid, but nothing here, or nothing in the chosen target, can express it"},
    {ErrorCode::kNotFound, "a file or a named thing does not exist"},
    {ErrorCode::kIo, "the system could not read or write"},
    {ErrorCode::kUnavailable, "cannot be done on this machine: no Core ML, no Neural Engine"},
    {ErrorCode::kBackendCrashed, "a backend crashed"},
    {ErrorCode::kTimeout, "it took too long"},
    {ErrorCode::kUnitNotObtained, "the compute unit was not obtained"},
    {ErrorCode::kInconclusive, "there is not enough evidence for a verdict"},
    {ErrorCode::kCancelled, "interrupted by the caller"},
    {ErrorCode::kInternal, "a defect of ours"},
});
static_assert(kErrorCodes.back().code == ErrorCode::kInternal &&
              kErrorCodes.size() == static_cast<size_t>(ErrorCode::kInternal) + 1);

}  // namespace anemone
