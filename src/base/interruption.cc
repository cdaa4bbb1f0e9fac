#include "base/interruption.h"

#include <atomic>

#include "base/clock.h"

namespace anemone {
namespace {

std::atomic<bool (*)()> check{nullptr};

}  // namespace

void SetInterruptCheck(bool (*wanted)()) { check = wanted; }

Status CheckInterrupted() {
  bool (*wanted)() = check.load(std::memory_order_relaxed);
  if (wanted == nullptr) return {};
  constexpr int64_t kPatienceNs = 50'000'000;
  thread_local int64_t asked_ns = 0;
  const int64_t now_ns = NowNs();
  if (now_ns - asked_ns < kPatienceNs) return {};
  asked_ns = now_ns;
  if (!wanted()) return {};
  return Cancelled("interrupted before it was complete");
}

}  // namespace anemone
