// ForkGate: counts the calls that are inside an object, so that a forked child can tell whether one of
// them was left there by a thread that it has not. Such a call holds locks and memory for ever, and the
// child would wait for it; instead its own calls of that object are refused.
//
//   const ForkGate::Call call = gate.Enter();
//   ANEMONE_TRY(call.status());
//
// Thread rules: any thread at any time; no lock is taken. A Call lives on its thread's stack.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/status.h"

namespace anemone {

// How often the line of this process was forked since the first call of this; constant between forks.
int ProcessGeneration();

class ForkGate {
 public:
  class Call {
   public:
    explicit Call(ForkGate* gate) : gate_(gate) {}
    ~Call() {
      if (gate_ != nullptr) gate_->state_.fetch_sub(1, std::memory_order_release);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    // An Unavailable error where the object must not be used.
    Status status() const;

   private:
    ForkGate* gate_;  // null: refused
  };

  Call Enter() { return Call(TryEnter() ? this : nullptr); }

 private:
  bool TryEnter();

  // The generation of the process in the upper half, the calls inside in the lower.
  std::atomic<uint64_t> state_{0};
};

}  // namespace anemone
