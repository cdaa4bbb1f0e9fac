// What must not outlive the process although its owner may not come to clear it: temporary folders,
// half-written output and child processes whose owner hangs in another thread, or is cut short by
// Ctrl-C.
//
// At exit() all that is still entered is cleared, last entered first. Signals are the business of
// the program that the library is part of: the command clears on them (cli/signals.h). SIGKILL,
// crashes and _exit() leave things behind.
//
// Thread rules: any thread. What clears must not enter or leave anything itself.
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
  // `make` makes the thing and returns how to clear it, or null when there is nothing to clear. No
  // clearing comes between the two, so that nothing is made that nobody knows of.
  explicit Leftover(const std::function<Clear()>& make);
  Leftover(Leftover&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
  Leftover& operator=(Leftover&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  // The owner has cleared it, or is about to. Waits for a clearing that is under way.
  ~Leftover() { Forget(); }
  void Forget();
  // Does what no clearing may cut in two: either it is done before, or the thing is gone and `act`
  // is not called. Keeps the entry.
  void Keep(const std::function<void()>& act);

 private:
  uint64_t id_ = 0;  // 0: none
};

// Clears all that is entered. For one who is about to end the process: as long as the lock is held
// nothing more is made.
std::unique_lock<std::mutex> ClearLeftovers();

}  // namespace anemone
