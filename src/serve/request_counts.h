// What the server itself counts: requests by route and status, and how long they took. The model's
// own counts (inferences, fallbacks, breakers) are its session's telemetry.
// Thread rules: every method from any thread at once.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "serve/scheduler.h"

namespace anemone::serve {

class RequestCounts {
 public:
  // `route` is one of a few names, never what a client wrote.
  void Count(std::string_view route, int status, int64_t duration_ns);
  // The exposition of Prometheus (text, 0.0.4), with the scheduler's counts.
  std::string Text(std::string_view model, const SchedulerCounts& scheduler) const;

 private:
  static constexpr int kBuckets = 14;
  struct Durations {
    uint64_t buckets[kBuckets + 1] = {};
    uint64_t count = 0;
    int64_t sum_ns = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, uint64_t, std::less<>> requests_;
  std::map<std::string, Durations, std::less<>> durations_;
};

}  // namespace anemone::serve
