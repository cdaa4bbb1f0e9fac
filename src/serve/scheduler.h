// Scheduler: asks the session for many callers at once, as many at a time as it has lanes; others
// wait in a queue that has an end. With `max_batch` above 1 calls that fit together are joined along
// the first dimension of their inputs, run as one, and their outputs taken apart again.
//
// Ownership: borrows the session, which must outlive it. Thread rules: Predict from any number of
// threads at once. Errors: the session's; kUnavailable when the queue is full, kTimeout when the
// answer is not there in time (a call that has begun is not ended by that, but nobody waits for it).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"
#include "runtime/session.h"

namespace anemone::serve {

using Tensors = std::map<std::string, exec::Tensor>;

struct SchedulerOptions {
  int workers = 2;  // calls at once
  int max_queue = 128;
  int max_batch = 1;                 // rows; 1: nothing is joined
  int64_t max_delay_ns = 2'000'000;  // that a call waits for others to join it
};

struct Answer {
  Tensors outputs;
  runtime::CallReport report;
  int64_t batch = 0;       // rows that ran together; 0 where nothing is joined
  int64_t waiting_ns = 0;  // in the queue
};

struct SchedulerCounts {
  uint64_t calls = 0;    // of the session
  uint64_t joined = 0;   // requests that ran in a call with others
  uint64_t refused = 0;  // because the queue was full
  uint64_t late = 0;     // that nobody waited for any more
  int64_t waiting = 0;   // now
  int64_t running = 0;   // now
};

class Scheduler {
 public:
  Scheduler(runtime::Session& session, const SchedulerOptions& options);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  // Answers what waits.
  ~Scheduler();

  Result<Answer> Predict(Tensors inputs, int64_t deadline_ns);
  SchedulerCounts counts() const;

 private:
  struct Job;
  using Jobs = std::vector<std::shared_ptr<Job>>;

  void Work();
  // The oldest job and those that join it, after waiting for these. With the lock.
  Jobs Take(std::unique_lock<std::mutex>& lock);
  // Moves what joins `jobs` out of the queue. With the lock.
  void Join(Jobs& jobs);
  void RunOne(Job& job);
  // False when the outputs have no row for each row of the inputs, or the call failed.
  bool RunJoined(const Jobs& jobs);
  void Finish(Job& job, Result<Answer> answer);

  runtime::Session& session_;
  const SchedulerOptions options_;
  mutable std::mutex mutex_;  // all below
  std::condition_variable arrived_;
  std::condition_variable answered_;
  std::deque<std::shared_ptr<Job>> queue_;
  SchedulerCounts counts_;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

// OK when calls of the model may be joined: each input is declared with an open first dimension that
// takes `max_batch`, and two seeded samples joined give what each gives alone. Else kUsage, why not.
Status CheckJoinable(const ir::Model& model, runtime::Session& session, int max_batch);

}  // namespace anemone::serve
