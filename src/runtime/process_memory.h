// How much memory this process has, as the system counts it. Null where the system does not report
// it. Thread rules: any thread.
#pragma once

#include <cstdint>
#include <optional>

namespace anemone::runtime {

// Resident now, in bytes.
std::optional<int64_t> ResidentBytes();
// The most that was resident so far, in bytes.
std::optional<int64_t> PeakResidentBytes();

}  // namespace anemone::runtime
