// Things that must not outlive the process even when their owner gets no chance to clear them:
// temporary folders, half-written output, and child processes whose owner hangs in another thread
// or is cut short by Ctrl-C.
//
// At exit() everything that is still registered is cleared, last registered first. Signals belong
// to the program that uses the library: the command clears on them (cli/signals.h). SIGKILL,
// crashes and _exit() leave things behind.
//
// Thread rules: any thread. A Clear function must not register or forget anything itself.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace anemone {

class Leftover {
 public:
  using Clear = std::function<void()>;

  Leftover() = default;
  // `make` makes the thing and returns the function that clears it, or null when there is nothing
  // to clear. No clearing happens in between, so every thing made is registered.
  explicit Leftover(const std::function<Clear()>& make);
  Leftover(Leftover&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
  Leftover& operator=(Leftover&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  // The owner has cleared it, or is about to. Waits for a clearing in progress.
  ~Leftover() { Forget(); }
  void Forget();
  // Runs `act`, which no clearing may interrupt: either it completes first, or the thing is already
  // cleared and `act` is not called. Keeps the registration.
  void Keep(const std::function<void()>& act);

 private:
  uint64_t id_ = 0;  // 0: none
};

// Clears everything that is registered, for a caller that is about to end the process: nothing more
// is made while the returned lock is held.
std::unique_lock<std::mutex> ClearLeftovers();

}  // namespace anemone
