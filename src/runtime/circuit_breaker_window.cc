#include "runtime/circuit_breaker_window.h"

#include <algorithm>

namespace anemone::runtime {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

void AddTo(WindowTotals& totals, CallMarks marks) {
  totals.calls += 1;
  totals.failed += marks.failed ? 1 : 0;
  totals.slow += marks.slow ? 1 : 0;
  totals.over_sla += marks.over_sla ? 1 : 0;
}

}  // namespace

CallWindow::CallWindow(const BreakerConfig& config)
    : type_(config.sliding_window_type),
      size_(config.sliding_window_size),
      slots_(static_cast<size_t>(size_)) {}

void CallWindow::Remove(const WindowTotals& slot) {
  totals_.calls -= slot.calls;
  totals_.failed -= slot.failed;
  totals_.slow -= slot.slow;
  totals_.over_sla -= slot.over_sla;
}

void CallWindow::Add(CallMarks marks, int64_t now_ns) {
  size_t index;
  if (type_ == WindowType::kCount) {
    index = static_cast<size_t>(next_);
    next_ = next_ + 1 == size_ ? 0 : next_ + 1;
    Remove(slots_[index]);
    slots_[index] = {};
  } else {
    Expire(now_ns);
    index = static_cast<size_t>(last_second_ % size_);
  }
  AddTo(slots_[index], marks);
  AddTo(totals_, marks);
}

void CallWindow::Expire(int64_t now_ns) {
  if (type_ == WindowType::kCount) return;
  const int64_t second = now_ns / kSecondNs;
  // Threads read the clock before they take the lock, so a call may be slightly older than the
  // last one.
  if (second <= last_second_) return;
  const int64_t steps = std::min(second - last_second_, size_);
  for (int64_t i = 0; i < steps; ++i) {
    WindowTotals& slot = slots_[static_cast<size_t>((second - i) % size_)];
    Remove(slot);
    slot = {};
  }
  last_second_ = second;
}

void CallWindow::Clear() {
  std::fill(slots_.begin(), slots_.end(), WindowTotals{});
  next_ = 0;
  last_second_ = -1;
  totals_ = {};
}

}  // namespace anemone::runtime
