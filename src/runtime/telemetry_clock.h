// The clock of telemetry and breakers, injectable so that tests need no sleep.
// Thread rules: a Clock is called from any thread at once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace anemone::runtime {

class Clock {
 public:
  virtual ~Clock() = default;
  // Nanoseconds since an arbitrary point; never goes back. For durations and waits.
  virtual int64_t monotonic_ns() const = 0;
  // Nanoseconds since 1970-01-01 UTC; may jump. For records that outlive the process.
  virtual int64_t unix_ns() const = 0;
  // The machine's clock; never destroyed.
  static const Clock& System();
};

// Moves only when told. Both times advance together; unix time can also be set.
class ManualClock : public Clock {
 public:
  explicit ManualClock(int64_t unix_ns = 1'700'000'000'000'000'000) : unix_ns_(unix_ns) {}
  int64_t monotonic_ns() const override { return monotonic_ns_.load(std::memory_order_relaxed); }
  int64_t unix_ns() const override { return unix_ns_.load(std::memory_order_relaxed); }
  void Advance(std::chrono::nanoseconds by) {
    monotonic_ns_.fetch_add(by.count(), std::memory_order_relaxed);
    unix_ns_.fetch_add(by.count(), std::memory_order_relaxed);
  }
  void SetUnix(int64_t unix_ns) { unix_ns_.store(unix_ns, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> monotonic_ns_{1'000'000'000};
  std::atomic<int64_t> unix_ns_;
};

}  // namespace anemone::runtime
