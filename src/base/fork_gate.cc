#include "base/fork_gate.h"

#include <pthread.h>

namespace anemone {
namespace {

std::atomic<int> generation{0};

}  // namespace

int ProcessGeneration() {
  static const int watching = ::pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1); });
  (void)watching;
  return generation.load(std::memory_order_relaxed);
}

Status ForkGate::Call::status() const {
  if (gate_ != nullptr) return {};
  return Unavailable(
             "this process was forked while another thread was inside a call of this object; the "
             "call never ends here")
      .Advise("load the model in the child, or fork (or start the pool of processes) before calls");
}

bool ForkGate::TryEnter() {
  const auto current = static_cast<uint64_t>(static_cast<uint32_t>(ProcessGeneration())) << 32U;
  constexpr uint64_t kCalls = 0xFFFFFFFF;
  uint64_t state = state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool of_this_process = (state & ~kCalls) == current;
    // What is inside at the fork stays inside.
    if (!of_this_process && (state & kCalls) != 0) return false;
    const uint64_t next = of_this_process ? state + 1 : current + 1;
    if (state_.compare_exchange_weak(state, next, std::memory_order_acquire)) return true;
  }
}

}  // namespace anemone
