// Session: one model, ready to serve. It loads the model on the preferred backend, answers calls,
// and continues when that backend fails: the same call goes to the next route (all units, CPU and
// GPU, CPU only, Anemone's own executor, whose circuit is always closed), once for each.
//
//   ANEMONE_ASSIGN(auto session, Session::Open(model, {.backend = "auto"}));
//   CallReport report;
//   ANEMONE_ASSIGN(auto outputs, session->Predict(inputs, nullptr, &report));
//
// States: loading (the routes are made), compiling (the first route loads), warming (it answers a
// known question), ready (a real inference has succeeded, unless `warm` is off or the shapes are
// dynamic, so that there is no question to ask), failed (no route loads). With
// `serve_while_compiling`, Open returns at once and Anemone's executor answers until the first
// route is ready.
//
// Thread rules: any number of threads call at once; requests are independent. A State is used by
// one call at a time. Ownership: shares the model; keeps telemetry alive. Errors: a bad input is
// the caller's (kUsage), reported before any route is asked and never held against a backend. When
// every route fails, the error is the last one's, and names the others in its advice.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "exec/classifier.h"
#include "exec/declared_inputs.h"
#include "runtime/breaker_store.h"
#include "runtime/circuit_breaker.h"
#include "runtime/dispatch.h"
#include "runtime/known_answer.h"
#include "runtime/route.h"
#include "runtime/telemetry.h"

namespace anemone::runtime {

enum class SessionState : uint8_t { kLoading, kCompiling, kWarming, kReady, kFailed };
// "loading", "compiling", "warming", "ready", "failed".
std::string_view SessionStateName(SessionState state);

struct SessionOptions {
  std::string backend = "auto";  // the first that is available, or one by name
  exec::LoadOptions load = {};
  bool fallback = true;  // false: the preferred route alone
  bool serve_while_compiling = false;
  // Ask a question with a known answer before an external backend serves, and when probing.
  bool self_test = true;
  // The first load of a model on an external backend of this build happens in a child process
  // (runtime/first_load.h), where there is one to start.
  bool isolate_first_load = true;
  // Run one inference on seeded inputs of the default shapes before `ready`.
  bool warm = true;
  BreakerConfig breaker = {};
  int max_lanes = 0;  // calls of one route at the same time; 0: one for each core, at least 2
  std::shared_ptr<Telemetry> telemetry = nullptr;  // null: the session makes one
  std::string model_hash = {};                     // labels and the breakers' memory
  // The folder for breakers and measurements between processes; empty: nothing is kept.
  std::string state_dir = {};
  // The folder of the gate's certificates (runtime/certificate.h); empty: nothing is certified.
  std::string certificate_dir = {};
  // Measure which units or thread count is fastest (runtime/dispatch.h), or use what is remembered.
  bool dispatch_by_measurement = false;
  // For tests, replaces this build's backends: the preferred one first, the last one trusted.
  std::vector<const exec::Backend*> backends = {};
  const Clock* clock = nullptr;  // of telemetry and breakers; null: the machine's
};

// Who answered a call, and why.
struct CallReport {
  std::string_view backend;  // "coreml", "cpu"
  bool external = false;
  // An external backend that no gate has passed with this model on this build of the system.
  bool experimental = false;
  ComputeUnits compute_units = ComputeUnits::kAll;  // of an external backend
  ComputeUnit planned = ComputeUnit::kUnknown;
  ComputeUnit observed = ComputeUnit::kUnknown;
  int attempts = 0;  // routes that were tried
  // Why not the preferred route; kNone when it answered.
  FallbackReason fallback_reason = FallbackReason::kNone;
  int64_t fallback_unix_ns = 0;                        // when the call left it; 0 when it did not
  CircuitState circuit_state = CircuitState::kClosed;  // of the preferred route, at the start
  int64_t duration_ns = 0;                             // of the whole call
};

class Session {
 public:
  using Tensors = std::map<std::string, exec::Tensor>;

  static Result<std::shared_ptr<Session>> Open(std::shared_ptr<const ir::Model> model,
                                               SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Result<Tensors> Predict(const Tensors& inputs, exec::State* state = nullptr,
                          CallReport* report = nullptr, const exec::Tracer* tracer = nullptr);
  // On the caller's memory. With Anemone's executor and no fallback above it, in the steady state,
  // this allocates nothing on the heap. After an error the outputs are undefined.
  Status PredictBound(std::span<const exec::BoundInput> inputs,
                      std::span<const exec::BoundOutput> outputs, exec::State* state = nullptr,
                      CallReport* report = nullptr);

  SessionState state() const { return state_.load(std::memory_order_acquire); }
  // Waits until ready or failed, at most `timeout_ns`; returns the state.
  SessionState WaitReady(int64_t timeout_ns);
  // Why the preferred route did not load; OK when it did or is still loading.
  Status load_status() const;

  // The function that runs, with the outputs of a classifier as tensors (exec/classifier.h).
  const ir::Function& function() const { return *function_; }
  // The names of the classes; nullopt when the model is not a classifier.
  const std::optional<exec::Classes>& classes() const { return classes_; }
  Telemetry& telemetry() { return *telemetry_; }
  // The measurements; empty unless dispatch_by_measurement.
  const std::optional<DispatchChoice>& dispatch() const { return dispatch_; }
  // Whether a gate has passed this model on the preferred backend and this build of the system.
  bool certified() const { return certified_; }
  // The routes in order of preference.
  std::span<const std::unique_ptr<Route>> routes() const { return routes_; }
  int64_t working_memory_bytes() const;

 private:
  Session(std::shared_ptr<const ir::Model> model, SessionOptions options);
  Status Dispatch(const exec::Backend& backend);
  Status MakeRoutes();
  void MakeBreakers();
  void OnTransition(const BreakerKey& key, const BreakerEvent& event);
  BreakerKey KeyOf(const Route& route) const;
  Result<std::vector<const exec::Backend*>> ChooseBackends() const;
  // Loads and warms the preferred route, then sets the state.
  void Prepare();
  // OK, or the reason why the route must not serve. `may_plan` becomes false when asking for the
  // backend's plan has ended the child, or left it hanging.
  Status TryInChild(const Route& route, bool* may_plan);
  Status Warm(Route& route);
  // Holds the inputs to the model's description, then asks the routes.
  Status Call(const Route::Call& call, CallReport* report);
  Status CallRoutes(const Route::Call& call, CallReport* report);
  // One route; what it says goes to its breaker and to telemetry.
  struct Attempt;
  Attempt Try(Route& route, const Route::Call& call, CallReport& report);
  void Note(const Route& from, const Route& to, FallbackReason reason, CallReport& report);
  Result<const KnownAnswer*> Question();
  // The background thread: prepares, then probes the routes whose probes are due.
  void Work();
  bool ProbeOnce(Route& route);
  void WakeProber();
  void SetState(SessionState state);

  // An external backend compiles the model as it was written.
  const std::shared_ptr<const ir::Model>& ModelFor(const exec::Backend& backend) const {
    return backend.external() ? model_ : tensor_model_;
  }

  std::shared_ptr<const ir::Model> model_;
  std::shared_ptr<const ir::Model> tensor_model_;  // the same one unless it is a classifier
  std::optional<exec::Classes> classes_;
  SessionOptions options_;
  const ir::Function* function_ = nullptr;
  const Clock& clock_;
  std::shared_ptr<Telemetry> telemetry_;
  std::optional<DispatchChoice> dispatch_;
  std::vector<std::unique_ptr<Route>> routes_;
  std::shared_ptr<const BreakerStore> store_;  // null: nothing is kept
  std::unique_ptr<BreakerRegistry> breakers_;  // null: no external route
  bool certified_ = false;
  std::atomic<SessionState> state_{SessionState::kLoading};
  std::atomic<bool> served_{false};  // whether an inference has succeeded

  mutable std::mutex mutex_;  // all below
  std::condition_variable changed_;
  Status load_status_;
  std::optional<Result<KnownAnswer>> question_;
  bool stop_ = false;
  bool wake_ = false;
  std::mutex question_mutex_;
  exec::DeclaredInputs declared_;  // immutable once the session is open
  std::thread worker_;
};

}  // namespace anemone::runtime
