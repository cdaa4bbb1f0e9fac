#include "base/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "base/fork_gate.h"
#include "base/rounding.h"

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

// Longer than the serial stretch between two layers, short for an idle machine. In time, since a pause
// takes from 10 to 140 cycles, by the processor.
constexpr std::chrono::microseconds kSpinTime{100};

// Waits for `done` so long; false when it is still not.
template <typename Done>
bool Spin(const Done& done) {
  constexpr int kPauses = 32;
  const auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPauses; ++i) {
      if (done()) return true;
      Pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

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
  shares_ = std::vector<Share>(static_cast<size_t>(std::max(threads, 1)));
  for (size_t i = 1; i < shares_.size(); ++i) workers_.emplace_back([this, i] { Work(i); });
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

void ThreadPool::TakeChunks(size_t thread) {
  for (size_t i = 0; i < shares_.size(); ++i) {
    Share& share = shares_[(thread + i) % shares_.size()];
    for (;;) {
      const int64_t begin = share.next.fetch_add(chunk_, std::memory_order_relaxed);
      if (begin >= share.end) break;
      function_(context_, begin, std::min(begin + chunk_, share.end));
    }
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
  const int64_t grains = CeilDiv(n, grain);
  const int64_t wanted = static_cast<int64_t>(threads()) * 4;
  function_ = function;
  context_ = context;
  chunk_ = grain * CeilDiv(grains, wanted);
  const int64_t chunks = CeilDiv(n, chunk_);
  for (size_t i = 0; i < shares_.size(); ++i) {
    const auto part = [&](size_t of) {
      return std::min(n, chunk_ * (chunks * static_cast<int64_t>(of) / threads()));
    };
    shares_[i].next.store(part(i), std::memory_order_relaxed);
    shares_[i].end = part(i + 1);
  }
  open_.store(true);
  epoch_.fetch_add(1);
  if (sleepers_.load() > 0) epoch_.notify_all();

  inside_body = true;
  TakeChunks(0);
  inside_body = false;

  // A worker raises active_ before it reads open_, so from here on none can join unseen.
  open_.store(false);
  const auto done = [this] { return active_.load() == 0; };
  if (!Spin(done)) {
    while (!done()) std::this_thread::yield();
  }
}

void ThreadPool::Work(size_t thread) {
  inside_body = true;  // a body that calls ParallelFor runs it inline
  uint32_t seen = 0;
  for (;;) {
    uint32_t now = seen;
    if (!Spin([&] { return (now = epoch_.load()) != seen; })) {
      sleepers_.fetch_add(1);
      epoch_.wait(seen);
      sleepers_.fetch_sub(1);
      continue;
    }
    seen = now;
    if (stop_.load()) return;
    active_.fetch_add(1);
    if (open_.load()) TakeChunks(thread);
    active_.fetch_sub(1);
  }
}

}  // namespace anemone
