// Stripes<T>: counters that any number of threads bump at once without a lock, and that a reader
// takes as one consistent cut while they do.
//
// Each thread writes to its own stripe (threads beyond kStripes share). A stripe holds two copies
// of T. Write() records its start in the counter of the active copy, changes it, and records its
// end; Drain() activates the other copy, waits for the few writers that are still inside, and then
// owns the old copy. So each Write is in exactly one Drain, whole.
//
// Thread rules: Write from any thread, wait-free after the thread's first call, which allocates its
// stripe. Drain from any thread, one at a time; it waits for active writers, never they for it. T
// consists of relaxed atomics (two threads can share a stripe) and must not throw. In a forked
// child of a process with other threads, do not Drain: a writer that was inside is gone. Source: G.
// Tene's WriterReaderPhaser.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>

namespace anemone::runtime {

// A small number of the calling thread, reused after the thread ends: threads that live at once
// have different ones.
size_t ThreadNumber();

template <typename T>
class Stripes {
 public:
  static constexpr size_t kStripes = 16;

  Stripes() = default;
  Stripes(const Stripes&) = delete;
  Stripes& operator=(const Stripes&) = delete;
  ~Stripes() {
    for (auto& slot : stripes_) delete slot.load(std::memory_order_relaxed);
  }

  template <typename Change>
  void Write(Change&& change) {
    Stripe& stripe = StripeOfThread();
    // Acquire: sees the copy as the last Drain left it. The release below hands it to the next one.
    const uint64_t begin = stripe.begin.fetch_add(1, std::memory_order_acq_rel);
    const size_t copy = begin >> kCopyShift;
    change(stripe.copies[copy]);
    stripe.end[copy].fetch_add(1, std::memory_order_release);
  }

  // Calls take(T&) for each copy that held writes; `take` must leave it empty.
  template <typename Take>
  void Drain(Take&& take) {
    const std::lock_guard lock(drain_);
    for (auto& slot : stripes_) {
      Stripe* stripe = slot.load(std::memory_order_acquire);
      if (stripe == nullptr) continue;
      const size_t next = 1 - stripe->active;
      stripe->end[next].store(0, std::memory_order_relaxed);
      const uint64_t begin = stripe->begin.exchange(static_cast<uint64_t>(next) << kCopyShift,
                                                    std::memory_order_acq_rel);
      const uint64_t started = begin & ((uint64_t{1} << kCopyShift) - 1);
      while (stripe->end[stripe->active].load(std::memory_order_acquire) != started) {
        std::this_thread::yield();
      }
      if (started != 0) take(stripe->copies[stripe->active]);
      stripe->active = next;
    }
  }

 private:
  static constexpr int kCopyShift = 63;  // the top bit of `begin` tells the active copy

  struct alignas(64) Stripe {
    std::atomic<uint64_t> begin{0};
    std::array<std::atomic<uint64_t>, 2> end{};
    size_t active = 0;  // the drainer's
    alignas(64) std::array<T, 2> copies{};
  };

  Stripe& StripeOfThread() {
    auto& slot = stripes_[ThreadNumber() % kStripes];
    Stripe* stripe = slot.load(std::memory_order_acquire);
    return stripe != nullptr ? *stripe : MakeStripe(slot);
  }
  [[gnu::noinline]] static Stripe& MakeStripe(std::atomic<Stripe*>& slot) {
    auto* made = new Stripe;
    Stripe* expected = nullptr;
    if (slot.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) return *made;
    delete made;  // another thread of this stripe was first
    return *expected;
  }

  std::array<std::atomic<Stripe*>, kStripes> stripes_{};
  std::mutex drain_;
};

}  // namespace anemone::runtime
