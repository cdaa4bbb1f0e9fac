// ChromeTrace: collects events on a time line and writes them in the Trace Event Format, which
// Perfetto and chrome://tracing open. Durations are complete events (ph X), changes are
// instants (ph i), memory is a counter (ph C). Times are microseconds with three decimals, so
// nothing is rounded.
//
// Ownership: keeps copies. Thread rules: any thread at once. Errors: kIo when writing; beyond
// max_events the newest are dropped and counted, here and in the file.
// Source: Trace Event Format (Google, 2016).
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "runtime/telemetry_event.h"

namespace anemone::runtime {

class ChromeTrace : public EventSink {
 public:
  explicit ChromeTrace(size_t max_events = 1'000'000) : max_events_(max_events) {}

  void Emit(const Event& event) override;
  uint64_t dropped() const override;
  // A piece of work: an operator, a copy. `arguments` are shown when it is clicked.
  void Slice(std::string_view name, std::string_view category, int64_t start_ns,
             int64_t duration_ns, uint64_t thread,
             const std::vector<std::pair<std::string, std::string>>& arguments = {});
  // The whole document. The earliest event is at 0.
  std::string ToJson() const;
  // Atomically replaces `path`.
  Status Write(const std::string& path) const;

 private:
  struct Entry {
    char phase;  // X, i, C
    std::string name;
    std::string category;
    int64_t start_ns;
    int64_t duration_ns;
    uint64_t thread;
    std::string arguments;  // a JSON object
  };
  void Add(Entry entry);

  const size_t max_events_;
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  uint64_t dropped_ = 0;
};

}  // namespace anemone::runtime
