// When to retry a failed transfer, and after how long: exponential back-off with jitter, or the
// server's Retry-After (RFC 9110, 10.2.3). Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace anemone::acquire {

// Statuses that a retry may cure: 408, 425, 429 and the server's own errors.
bool IsTransientStatus(long status);

// The pause before attempt `failures` + 1: 0.5 s doubled with each failure, at most 30 s, times a
// factor in [0.5, 1] taken from `random` (in [0, 1)), so that many clients do not return at once.
int64_t BackOffMs(int failures, double random);

// The value of Retry-After in milliseconds from `now_s` (Unix time): a number of seconds or an HTTP
// date; nullopt when it is neither. A date that has passed is 0.
std::optional<int64_t> RetryAfterMs(std::string_view value, int64_t now_s);

}  // namespace anemone::acquire
