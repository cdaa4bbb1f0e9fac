// DeadlineThread: runs tasks one after another on its own thread, each with a deadline. A call into
// a system that hangs cannot be stopped, but it can be abandoned. A thread that missed a deadline
// is lost: it ends by itself if its task ever returns, so the task must own everything that it
// uses. Thread rules: one caller at a time.
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

  // False when `task` did not end in time, or `stop` became true meanwhile. A task that has not
  // started then never runs; one that is running makes the thread lost(), and Run must not be
  // called again.
  bool Run(std::function<void()> task, int64_t timeout_ns, const std::atomic<bool>* stop = nullptr);
  bool lost() const { return lost_; }

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
  bool lost_ = false;
};

}  // namespace anemone::runtime
