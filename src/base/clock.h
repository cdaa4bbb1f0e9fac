// The clocks of the system: one for durations, one for dates. Thread rules: any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace anemone {

// Nanoseconds of the steady clock: they only grow, and their zero means nothing.
inline int64_t NowNs() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Nanoseconds since 1970; the user may set this clock at any time, so no duration comes from it.
inline int64_t UnixNowNs() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace anemone
