#include "acquire/retry.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <string>

namespace anemone::acquire {
namespace {

constexpr std::array<long, 8> kTransient{408, 425, 429, 500, 502, 503, 504, 509};
constexpr int64_t kFirstPauseMs = 500;
constexpr int64_t kLongestPauseMs = 30'000;
constexpr int64_t kMaxSeconds = int64_t{1} << 40;  // later than any clock

}  // namespace

bool IsTransientStatus(long status) {
  return std::find(kTransient.begin(), kTransient.end(), status) != kTransient.end();
}

int64_t BackOffMs(int failures, double random) {
  int64_t pause = kFirstPauseMs;
  for (int i = 1; i < failures && pause < kLongestPauseMs; ++i) pause *= 2;
  pause = std::min(pause, kLongestPauseMs);
  return static_cast<int64_t>(static_cast<double>(pause) * (0.5 + 0.5 * random));
}

std::optional<int64_t> RetryAfterMs(std::string_view value, int64_t now_s) {
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\r')) value.remove_suffix(1);
  if (value.empty()) return std::nullopt;
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    int64_t seconds = 0;
    for (const char digit : value) {
      seconds = std::min(kMaxSeconds, seconds * 10 + (digit - '0'));
    }
    return seconds * 1000;
  }
  const time_t at = curl_getdate(std::string(value).c_str(), nullptr);
  if (at == -1) return std::nullopt;
  return std::clamp<int64_t>(int64_t{at} - now_s, 0, kMaxSeconds) * 1000;
}

}  // namespace anemone::acquire
