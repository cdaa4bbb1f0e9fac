#include "serve/request_counts.h"

#include <fmt/format.h>

#include <iterator>

namespace anemone::serve {
namespace {

// Upper bounds in nanoseconds, 1, 2.5, 5 of each decade as a request takes them.
constexpr int64_t kBounds[] = {500'000,       1'000'000,     2'500'000,     5'000'000,
                               10'000'000,    25'000'000,    50'000'000,    100'000'000,
                               250'000'000,   500'000'000,   1'000'000'000, 2'500'000'000,
                               5'000'000'000, 10'000'000'000};

// The value of a label: quotes, backslashes and line ends are escaped.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

void Describe(std::string& out, std::string_view name, std::string_view type,
              std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

}  // namespace

void RequestCounts::Count(std::string_view route, int status, int64_t duration_ns) {
  static_assert(std::size(kBounds) == kBuckets);
  const std::lock_guard lock(mutex_);
  ++requests_[{std::string(route), status}];
  Durations& durations = durations_[std::string(route)];
  int bucket = 0;
  while (bucket < kBuckets && duration_ns > kBounds[bucket]) ++bucket;
  ++durations.buckets[bucket];
  ++durations.count;
  durations.sum_ns += duration_ns;
}

std::string RequestCounts::Text(std::string_view model, const SchedulerCounts& scheduler) const {
  const std::string label = fmt::format("model=\"{}\"", Escaped(model));
  std::string out;
  const auto back = std::back_inserter(out);
  Describe(out, "anemone_http_requests_total", "counter", "Requests by route and status.");
  const std::lock_guard lock(mutex_);
  for (const auto& [key, count] : requests_) {
    fmt::format_to(back, "anemone_http_requests_total{{{},route=\"{}\",status=\"{}\"}} {}\n", label,
                   key.first, key.second, count);
  }
  Describe(out, "anemone_http_request_duration_seconds", "histogram",
           "From the end of a request to its answer.");
  for (const auto& [route, durations] : durations_) {
    uint64_t so_far = 0;
    for (int i = 0; i <= kBuckets; ++i) {
      so_far += durations.buckets[i];
      const std::string bound =
          i == kBuckets ? "+Inf" : fmt::format("{}", static_cast<double>(kBounds[i]) * 1e-9);
      fmt::format_to(
          back, "anemone_http_request_duration_seconds_bucket{{{},route=\"{}\",le=\"{}\"}} {}\n",
          label, route, bound, so_far);
    }
    fmt::format_to(back,
                   "anemone_http_request_duration_seconds_sum{{{0},route=\"{1}\"}} {2}\n"
                   "anemone_http_request_duration_seconds_count{{{0},route=\"{1}\"}} {3}\n",
                   label, route, static_cast<double>(durations.sum_ns) * 1e-9, durations.count);
  }
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       auto value) {
    Describe(out, name, type, help);
    fmt::format_to(back, "{}{{{}}} {}\n", name, label, value);
  };
  one("anemone_serve_calls_total", "counter", "Calls of the model.", scheduler.calls);
  one("anemone_serve_joined_requests_total", "counter", "Requests that shared a call with others.",
      scheduler.joined);
  one("anemone_serve_refused_requests_total", "counter", "Requests that found the queue full.",
      scheduler.refused);
  one("anemone_serve_late_requests_total", "counter", "Requests that were not answered in time.",
      scheduler.late);
  one("anemone_serve_waiting_requests", "gauge", "Requests that wait for the model.",
      scheduler.waiting);
  one("anemone_serve_running_calls", "gauge", "Calls of the model that run.", scheduler.running);
  return out;
}

}  // namespace anemone::serve
