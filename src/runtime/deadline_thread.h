// DeadlineThread: runs one task after the other on a thread of its own, each with a deadline. A
// call into a system that hangs cannot be stopped; it can be given up. A thread that missed a
// deadline is lost: it ends by itself if its task ever returns, and what the task uses must be
// owned by the task. Thread rules: one caller at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace anemone::runtime {

class DeadlineThread {
 public:
  DeadlineThread();
  // Waits for the thread, unless it is lost.
  ~DeadlineThread();
  DeadlineThread(const DeadlineThread&) = delete;
  DeadlineThread& operator=(const DeadlineThread&) = delete;

  // False when `task` did not end in time, or `stop` became true meanwhile. One that had not begun
  // never will; one that is running makes the thread lost(), and Run must not be called again.
  bool Run(std::function<void()> task, int64_t timeout_ns, const std::atomic<bool>* stop = nullptr);
  bool lost() const { return lost_; }

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
  bool lost_ = false;
};

}  // namespace anemone::runtime
