// Route: one way to run a model, a backend with its compute units, as a session sees it: loaded
// when first needed, with a pool of lanes (a lane is an exec::Executable and, where the backend may
// hang, a thread to call it on), a circuit breaker and the plan of units.
//
// Thread rules: every method from any thread at once. A lane is used by one call at a time; at most
// `max_lanes` exist, later calls wait for one. Ownership: shares the model; a lane that missed its
// deadline is given up and never used again. Errors: those of the backend, as exec::Failure.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "runtime/circuit_breaker.h"
#include "runtime/deadline_thread.h"
#include "runtime/telemetry.h"

namespace anemone::runtime {

struct RouteOptions {
  const exec::Backend* backend = nullptr;
  exec::LoadOptions load;
  int max_lanes = 4;
  // A load or call that takes longer is given up. 0: no limit, and calls run on the caller's thread
  // and memory.
  int64_t load_timeout_ns = 0;
  int64_t predict_timeout_ns = 0;
};

class Route {
 public:
  Route(std::shared_ptr<const ir::Model> model, RouteOptions options, Telemetry* telemetry)
      : model_(std::move(model)),
        options_(std::move(options)),
        telemetry_(telemetry),
        planned_(observed()) {}

  // "cpu", "coreml/all".
  std::string label() const;
  const RouteOptions& options() const { return options_; }
  // The unit on which the plan puts it; kCpu for Anemone's own executor, which leaves no choice.
  // kUnknown until MakePlan has run.
  ComputeUnit planned() const { return planned_.load(std::memory_order_relaxed); }
  // Asks the backend for its plan, once. Takes as long as a load.
  void MakePlan(int64_t timeout_ns);
  // The plan by operation; empty when there is none.
  std::vector<exec::PlannedOperation> plan() const;
  // The unit that is known without a plan: kCpu where there is no choice, else kUnknown.
  ComputeUnit observed() const;

  // Null for a route whose circuit never opens.
  CircuitBreaker* breaker() const { return breaker_.get(); }
  // Call it before the first call.
  void SetBreaker(std::shared_ptr<CircuitBreaker> breaker) { breaker_ = std::move(breaker); }

  // Makes the first lane, if there is none yet.
  Status Load();
  bool loaded() const;

  struct Call {
    std::span<const exec::BoundInput> inputs;
    // The same inputs as tensors, if the caller has them; saves a copy.
    const std::map<std::string, exec::Tensor>* tensors = nullptr;
    std::span<const exec::BoundOutput> outputs;  // when `results` is null
    std::map<std::string, exec::Tensor>* results = nullptr;
    exec::State* state = nullptr;  // unchanged when the call fails
    const exec::Tracer* tracer = nullptr;
    bool check_finite = false;  // a result with NaN or infinity from finite inputs is a failure
  };
  // `waited_ns`: the time spent waiting for a lane, or making one.
  Status Run(const Call& call, int64_t* waited_ns);
  // Bytes of working memory of all lanes.
  int64_t working_memory_bytes() const;
  // The duration of a success: the median of the first ones is the breaker's baseline.
  void NoteDuration(int64_t duration_ns);
  // Loads and calls that wait for a deadline stop waiting.
  void Stop() { stop_.store(true, std::memory_order_relaxed); }
  bool stopped() const { return stop_.load(std::memory_order_relaxed); }
  // Forgets the lanes, so that the next call loads again. Lanes in use end with their call.
  void Drop();

 private:
  struct Lane {
    std::shared_ptr<exec::Executable> executable;
    std::unique_ptr<DeadlineThread> thread;  // null: called directly
    uint64_t generation = 0;
  };
  Result<std::unique_ptr<Lane>> MakeLane();
  Result<std::unique_ptr<Lane>> Take();
  void Return(std::unique_ptr<Lane> lane);
  Status RunDirect(Lane& lane, const Call& call) const;
  Status RunGuarded(Lane& lane, const Call& call) const;

  std::shared_ptr<const ir::Model> model_;
  RouteOptions options_;
  Telemetry* telemetry_;
  std::shared_ptr<CircuitBreaker> breaker_;
  std::atomic<ComputeUnit> planned_;
  std::vector<exec::PlannedOperation> plan_;
  std::atomic<bool> stop_{false};
  std::atomic<size_t> noted_{0};
  std::array<std::atomic<int64_t>, 32> first_durations_ns_{};

  mutable std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Lane>> idle_;
  int lanes_ = 0;  // idle, in use, or being made
  int64_t lane_bytes_ = 0;
  uint64_t generation_ = 0;
};

}  // namespace anemone::runtime
