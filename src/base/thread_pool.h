// ThreadPool: a fixed set of worker threads and one operation, ParallelFor.
//
// Determinism: work is cut into chunks by (n, grain) and the thread count only; any thread may take
// any chunk. Bodies therefore write disjoint results and never split a reduction, so that the bits
// do not depend on the number of threads.
//
// Thread rules: any thread may call ParallelFor at any time. One call at a time uses the workers; a
// call that finds them busy (another session), and a call from inside a body, runs its whole range
// on the calling thread. The destructor must not race with a call. Bodies do not throw. A
// process that was forked has none of the workers: there a pool of the parent's runs everything on the
// calling thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace anemone {

class ThreadPool {
 public:
  // `threads` counts the caller: 1 starts no worker. 0 means one per available processor.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // The pool with this many threads, shared by every caller, so that concurrent sessions do not
  // start more threads than there are cores. It ends with its last user.
  static std::shared_ptr<ThreadPool> Shared(int threads);

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end) for disjoint ranges that cover [0, n), each but the last a multiple of
  // `grain` long; returns when all are done. A grain should be worth some microseconds; run cheaper
  // bodies without ParallelFor.
  template <typename Body>
  void ParallelFor(int64_t n, int64_t grain, const Body& body) {
    Run(n, grain, &body, [](const void* context, int64_t begin, int64_t end) {
      (*static_cast<const Body*>(context))(begin, end);
    });
  }

 private:
  using Function = void (*)(const void* context, int64_t begin, int64_t end);

  void Run(int64_t n, int64_t grain, const void* context, Function function);
  void Work(size_t thread);
  void TakeChunks(size_t thread);

  bool of_this_process() const;

  const int generation_;  // of the process: how often its line was forked
  std::vector<std::thread> workers_;
  std::mutex busy_;  // held by the call that uses the workers

  // The current job; written only while !open_ and active_ == 0.
  Function function_ = nullptr;
  const void* context_ = nullptr;
  int64_t chunk_ = 0;
  // Each thread begins with its own part of the range, which is the same part in each job of the same
  // length: what a thread wrote in one layer it reads from its cache in the next. Then it helps others.
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  std::vector<Share> shares_;
  alignas(64) std::atomic<uint32_t> epoch_{0};  // changes when a job opens, and at the end
  std::atomic<bool> open_{false};
  std::atomic<bool> stop_{false};
  std::atomic<int> sleepers_{0};
  alignas(64) std::atomic<int> active_{0};  // workers that may be touching the job
};

}  // namespace anemone
