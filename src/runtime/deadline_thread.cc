#include "runtime/deadline_thread.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace anemone::runtime {

struct DeadlineThread::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void()> task;
  bool busy = false;
  bool stop = false;
};

DeadlineThread::DeadlineThread() : shared_(std::make_shared<Shared>()) {
  thread_ = std::thread([shared = shared_] {
    std::unique_lock lock(shared->mutex);
    for (;;) {
      shared->changed.wait(lock, [&] { return shared->task != nullptr || shared->stop; });
      if (shared->task == nullptr) return;
      std::function<void()> task = std::exchange(shared->task, nullptr);
      lock.unlock();
      task();
      task = nullptr;  // releases what it owns before the caller continues
      lock.lock();
      shared->busy = false;
      shared->changed.notify_all();
    }
  });
}

DeadlineThread::~DeadlineThread() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stop = true;
    shared_->changed.notify_all();
  }
  if (lost_) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

bool DeadlineThread::Run(std::function<void()> task, int64_t timeout_ns,
                         const std::atomic<bool>* stop) {
  using Steady = std::chrono::steady_clock;
  constexpr auto kSlice = std::chrono::milliseconds(50);  // how soon `stop` is seen
  const Steady::time_point deadline = Steady::now() + std::chrono::nanoseconds(timeout_ns);
  std::unique_lock lock(shared_->mutex);
  shared_->task = std::move(task);
  shared_->busy = true;
  shared_->changed.notify_all();
  while (shared_->busy) {
    const Steady::time_point now = Steady::now();
    if (now >= deadline || (stop != nullptr && stop->load(std::memory_order_relaxed))) {
      if (shared_->task != nullptr) {  // not started: it never runs, and the thread is free
        shared_->task = nullptr;
        shared_->busy = false;
        return false;
      }
      lost_ = true;
      return false;
    }
    shared_->changed.wait_until(lock, std::min<Steady::time_point>(deadline, now + kSlice));
  }
  return true;
}

}  // namespace anemone::runtime
