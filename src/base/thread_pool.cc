#include "base/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/fork_gate.h"

namespace anemone {
namespace {

thread_local bool inside_body = false;

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// About 20 to 50 microseconds: longer than the serial stretch between two layers, short for an idle
// machine.
constexpr int kSpins = 1500;

// Of Shared(). Held during a fork, so that the child does not find it locked by a thread it has not.
std::mutex shared_mutex;

int WatchedGeneration() {
  static const int watching = ::pthread_atfork(
      [] { shared_mutex.lock(); }, [] { shared_mutex.unlock(); }, [] { shared_mutex.unlock(); });
  (void)watching;
  return ProcessGeneration();
}

}  // namespace

ThreadPool::ThreadPool(int threads) : generation_(WatchedGeneration()) {
  if (threads <= 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { Work(); });
}

bool ThreadPool::of_this_process() const { return generation_ == ProcessGeneration(); }

ThreadPool::~ThreadPool() {
  if (!of_this_process()) {
    // They are not there to be joined, and a std::thread that was not ends the process.
    [[maybe_unused]] auto* const left =
        std::make_unique<std::vector<std::thread>>(std::move(workers_)).release();
    return;
  }
  stop_ = true;
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::shared_ptr<ThreadPool> ThreadPool::Shared(int threads) {
  static std::map<std::pair<int, int>, std::weak_ptr<ThreadPool>> pools;
  if (threads <= 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  const int of_process = WatchedGeneration();
  const std::lock_guard lock(shared_mutex);
  std::weak_ptr<ThreadPool>& entry = pools[{of_process, threads}];
  std::shared_ptr<ThreadPool> pool = entry.lock();
  if (pool == nullptr) entry = pool = std::make_shared<ThreadPool>(threads);
  return pool;
}

void ThreadPool::TakeChunks() {
  for (;;) {
    const int64_t begin = next_.fetch_add(chunk_, std::memory_order_relaxed);
    if (begin >= n_) return;
    function_(context_, begin, std::min(begin + chunk_, n_));
  }
}

void ThreadPool::Run(int64_t n, int64_t grain, const void* context, Function function) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (workers_.empty() || n <= grain || inside_body || !of_this_process() || !busy_.try_lock()) {
    function(context, 0, n);
    return;
  }
  std::lock_guard lock(busy_, std::adopt_lock);
  // A few chunks per thread even out unequal speed; more only cost atomics.
  const int64_t grains = (n + grain - 1) / grain;
  const int64_t wanted = static_cast<int64_t>(threads()) * 4;
  function_ = function;
  context_ = context;
  n_ = n;
  chunk_ = grain * ((grains + wanted - 1) / wanted);
  next_.store(0, std::memory_order_relaxed);
  open_.store(true);
  epoch_.fetch_add(1);
  if (sleepers_.load() > 0) epoch_.notify_all();

  inside_body = true;
  TakeChunks();
  inside_body = false;

  // A worker raises active_ before it reads open_, so from here on none can join unseen.
  open_.store(false);
  for (int spin = 0; active_.load() != 0; ++spin) {
    if (spin < kSpins) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::Work() {
  inside_body = true;  // a body that calls ParallelFor runs it inline
  uint32_t seen = 0;
  for (;;) {
    uint32_t now = epoch_.load();
    for (int spin = 0; now == seen && spin < kSpins; ++spin) {
      Pause();
      now = epoch_.load();
    }
    if (now == seen) {
      sleepers_.fetch_add(1);
      epoch_.wait(seen);
      sleepers_.fetch_sub(1);
      continue;
    }
    seen = now;
    if (stop_.load()) return;
    active_.fetch_add(1);
    if (open_.load()) TakeChunks();
    active_.fetch_sub(1);
  }
}

}  // namespace anemone
