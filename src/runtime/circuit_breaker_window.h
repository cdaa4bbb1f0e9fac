// The sliding window of a circuit breaker: how many of the recent calls failed, were slow, or were
// over the latency limit. Kept as running sums, so that adding a call costs the same at any size.
// Thread rules: one thread at a time (the breaker's lock).
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/circuit_breaker_config.h"

namespace anemone::runtime {

// The outcomes counted for one call.
struct CallMarks {
  bool failed = false;
  bool slow = false;
  bool over_sla = false;
  bool any() const { return failed || slow || over_sla; }
};

struct WindowTotals {
  int64_t calls = 0;
  int64_t failed = 0;
  int64_t slow = 0;
  int64_t over_sla = 0;
  bool operator==(const WindowTotals&) const = default;
};

class CallWindow {
 public:
  explicit CallWindow(const BreakerConfig& config);
  void Add(CallMarks marks, int64_t now_ns);
  // Forgets calls that are too old by now (time windows only).
  void Expire(int64_t now_ns);
  void Clear();
  const WindowTotals& totals() const { return totals_; }
  // Full and without a mark: another clean call would change nothing (count windows only).
  bool full_and_clean() const {
    return type_ == WindowType::kCount && totals_ == WindowTotals{size_, 0, 0, 0};
  }

 private:
  void Remove(const WindowTotals& slot);

  WindowType type_;
  int64_t size_;
  // Count: one slot a call. Time: one slot a second, at (second mod size).
  std::vector<WindowTotals> slots_;
  int64_t next_ = 0;          // count: slot of the next call
  int64_t last_second_ = -1;  // time: the newest second in the window
  WindowTotals totals_;
};

}  // namespace anemone::runtime
