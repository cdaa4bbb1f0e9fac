#include "runtime/session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "exec/classifier.h"
#include "exec/failure.h"
#include "exec/function_inputs.h"
#include "exec/synthetic_inputs.h"
#include "runtime/backends.h"
#include "runtime/certificate.h"
#include "runtime/first_load.h"
#include "runtime/host.h"
#include "runtime/process_memory.h"
#include "runtime/run_record_io.h"

namespace anemone::runtime {
namespace {

// The units of an external backend's routes, fewer from route to route.
std::vector<ComputeUnits> Descend(ComputeUnits from) {
  switch (from) {
    case ComputeUnits::kAll:
      return {ComputeUnits::kAll, ComputeUnits::kCpuAndGpu, ComputeUnits::kCpuOnly};
    case ComputeUnits::kCpuAndNe:
      return {ComputeUnits::kCpuAndNe, ComputeUnits::kCpuAndGpu, ComputeUnits::kCpuOnly};
    case ComputeUnits::kCpuAndGpu:
      return {ComputeUnits::kCpuAndGpu, ComputeUnits::kCpuOnly};
    case ComputeUnits::kCpuOnly:
      return {ComputeUnits::kCpuOnly};
  }
  return {from};
}

}  // namespace

std::string_view SessionStateName(SessionState state) {
  switch (state) {
    case SessionState::kLoading:
      return "loading";
    case SessionState::kCompiling:
      return "compiling";
    case SessionState::kWarming:
      return "warming";
    case SessionState::kReady:
      return "ready";
    case SessionState::kFailed:
      return "failed";
  }
  return "unknown";
}

Session::Session(std::shared_ptr<const ir::Model> model, SessionOptions options)
    : model_(std::move(model)),
      options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : Clock::System()),
      telemetry_(options_.telemetry) {
  if (telemetry_ == nullptr) {
    telemetry_ = std::make_shared<Telemetry>(
        TelemetryOptions{.model = options_.model_hash,
                         .backend = options_.backend,
                         .units = std::string(ComputeUnitsName(options_.load.compute_units)),
                         .clock = options_.clock});
  }
}

Session::~Session() {
  for (const auto& route : routes_) route->Stop();
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  if (worker_.joinable()) worker_.join();
}

Result<std::shared_ptr<Session>> Session::Open(std::shared_ptr<const ir::Model> model,
                                               SessionOptions options) {
  ANEMONE_TRY(Validate(options.breaker));
  // The constructor is private, so no make_shared.
  std::shared_ptr<Session> session(new Session(std::move(model), std::move(options)));
  ANEMONE_ASSIGN(session->tensor_model_, exec::WithTensorOutputs(session->model_));
  ANEMONE_ASSIGN(session->function_,
                 exec::ChooseFunction(*session->tensor_model_, session->options_.load.function));
  ANEMONE_ASSIGN(const ir::Function* written,
                 exec::ChooseFunction(*session->model_, session->options_.load.function));
  session->classes_ = exec::ClassesOf(*written);
  ANEMONE_ASSIGN(session->declared_, exec::DeclaredInputs::Of(*session->model_, *written));
  ANEMONE_TRY(session->MakeRoutes());
  if (!session->options_.serve_while_compiling) {
    session->Prepare();
    if (session->state() == SessionState::kFailed) return session->load_status().error();
  }
  const bool has_breaker = std::any_of(session->routes_.begin(), session->routes_.end(),
                                       [](const auto& route) { return route->breaker(); });
  if (session->options_.serve_while_compiling || has_breaker) {
    session->worker_ = std::thread([self = session.get()] { self->Work(); });
  }
  return session;
}

Result<std::vector<const exec::Backend*>> Session::ChooseBackends() const {
  if (!options_.backends.empty()) return options_.backends;
  ANEMONE_ASSIGN(const exec::Backend* preferred, FindBackend(options_.backend));
  std::vector<const exec::Backend*> chosen{preferred};
  if (preferred->external()) {
    // The first backend of ours is its fallback.
    for (const exec::Backend* backend : Backends()) {
      if (backend->external() || !backend->Available().ok()) continue;
      chosen.push_back(backend);
      break;
    }
  }
  return chosen;
}

Status Session::MakeRoutes() {
  ANEMONE_ASSIGN(const std::vector<const exec::Backend*> backends, ChooseBackends());
  // The build as records and certificates name it.
  certified_ =
      !options_.certificate_dir.empty() &&
      IsCertified(options_.certificate_dir, options_.model_hash,
                  DescribeMachine().os_build.value_or(""), std::string(backends.front()->name()));
  if (options_.dispatch_by_measurement) ANEMONE_TRY(Dispatch(*backends.front()));
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  for (const exec::Backend* backend : backends) {
    const std::vector<ComputeUnits> descent =
        backend->external() ? Descend(options_.load.compute_units)
                            : std::vector<ComputeUnits>{ComputeUnits::kCpuOnly};
    for (const ComputeUnits units : descent) {
      if (!options_.fallback && !routes_.empty()) break;
      RouteOptions route;
      route.backend = backend;
      route.load = options_.load;
      route.load.compute_units = units;
      route.max_lanes = options_.max_lanes > 0 ? options_.max_lanes : std::max(2, cores);
      if (backend->external()) {
        route.load_timeout_ns = options_.breaker.load_timeout_ns;
        route.predict_timeout_ns = options_.breaker.predict_timeout_ns;
      }
      routes_.push_back(
          std::make_unique<Route>(ModelFor(*backend), std::move(route), telemetry_.get()));
    }
  }
  MakeBreakers();
  return {};
}

Status Session::Dispatch(const exec::Backend& backend) {
  DispatchOptions options;
  options.state_dir = options_.state_dir;
  options.model_hash = options_.model_hash;
  options.load_timeout_ns = options_.breaker.load_timeout_ns;
  options.predict_timeout_ns = options_.breaker.predict_timeout_ns;
  ANEMONE_ASSIGN(dispatch_, ChooseDispatch(backend, ModelFor(backend), options_.load, options));
  options_.load = dispatch_->load;
  return {};
}

BreakerKey Session::KeyOf(const Route& route) const {
  return {options_.model_hash, std::string(route.options().backend->name()),
          std::string(ComputeUnitsName(route.options().load.compute_units))};
}

void Session::OnTransition(const BreakerKey& key, const BreakerEvent& event) {
  // A backend that failed loads again when it is probed.
  if (event.to == CircuitState::kOpen) {
    for (const auto& route : routes_) {
      if (KeyOf(*route) == key) route->Drop();
    }
  }
  telemetry_->record_event(CircuitEvent(key, event));
}

void Session::MakeBreakers() {
  const bool any = std::any_of(routes_.begin(), routes_.end(), [](const auto& route) {
    return route->options().backend->external();
  });
  if (!any) return;
  if (!options_.state_dir.empty() && !options_.model_hash.empty()) {
    store_ = std::make_shared<const BreakerStore>(options_.state_dir, HostOsBuild());
  }
  breakers_ = std::make_unique<BreakerRegistry>(
      options_.breaker, store_,
      [this](const BreakerKey& key, const BreakerEvent& event) { OnTransition(key, event); },
      [this](const BreakerKey& key, const std::string& text) {
        Event note;
        note.backend = key.backend;
        note.units = key.units;
        note.text = text;
        telemetry_->record_event(std::move(note));
      },
      options_.clock);
  for (const auto& route : routes_) {
    if (route->options().backend->external()) route->SetBreaker(breakers_->Get(KeyOf(*route)));
  }
}

void Session::SetState(SessionState state) {
  const std::lock_guard lock(mutex_);
  state_.store(state, std::memory_order_release);
  changed_.notify_all();
}

SessionState Session::WaitReady(int64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), [&] {
    return stop_ || state() == SessionState::kReady || state() == SessionState::kFailed;
  });
  return state();
}

Status Session::load_status() const {
  const std::lock_guard lock(mutex_);
  return load_status_;
}

int64_t Session::working_memory_bytes() const {
  int64_t bytes = 0;
  for (const auto& route : routes_) bytes += route->working_memory_bytes();
  return bytes;
}

Result<const KnownAnswer*> Session::Question() {
  const std::lock_guard lock(question_mutex_);
  if (!question_) {
    exec::LoadOptions load = options_.load;
    load.compute_units = ComputeUnits::kCpuOnly;
    const exec::Backend* trusted = nullptr;
    for (const auto& route : routes_) {
      if (!route->options().backend->external()) trusted = route->options().backend;
    }
    if (trusted == nullptr) {
      for (const exec::Backend* backend : Backends()) {
        if (!backend->external() && backend->Available().ok()) {
          trusted = backend;
          break;
        }
      }
    }
    question_ = trusted == nullptr ? Result<KnownAnswer>(Unavailable("there is no trusted backend"))
                                   : KnownAnswer::Make(*trusted, tensor_model_, load);
  }
  if (!question_->ok()) return question_->error();
  return &**question_;
}

Status Session::TryInChild(const Route& route, bool* may_plan) {
  const RouteOptions& options = route.options();
  if (!options_.isolate_first_load || !options.backend->external() || !options_.backends.empty()) {
    return {};
  }
  FirstLoadOptions first;
  first.helper = FirstLoadHelper();
  if (first.helper.empty()) return {};
  if (!options.load.cache_dir.empty()) first.verdict_dir = VerdictDir(options.load.cache_dir);
  if (options.load_timeout_ns > 0)
    first.timeout = std::chrono::nanoseconds(options.load_timeout_ns);
  const auto verdict = TryFirstLoad(*options.backend, *model_, options.load, first);
  Event note;
  note.backend = options.backend->name();
  note.units = ComputeUnitsName(options.load.compute_units);
  if (!verdict.ok()) {
    // A missing child says nothing about the model.
    note.text = "no first load in a child process: " + verdict.error().ToString();
    telemetry_->record_event(std::move(note));
    return {};
  }
  Status status = verdict->status();
  if (verdict->planned == false) {
    *may_plan = false;
    note.text = "no compute plan is asked for: it crashed or hung a child process";
    telemetry_->record_event(note);
  }
  if (!verdict->remembered && verdict->load_ns) {
    telemetry_->record_compile(*verdict->load_ns, true);
  }
  if (!status.ok()) {
    note.text = status.error().ToString();
    telemetry_->record_event(std::move(note));
    telemetry_->record_load(verdict->load_ns.value_or(0), false,
                            verdict->failure.value_or(FailureKind::kUnknown));
  }
  return status;
}

Status Session::Warm(Route& route) {
  Route::Call call;
  Tensors results;
  call.results = &results;
  exec::State state;
  call.state = &state;
  Tensors inputs;
  const KnownAnswer* question = nullptr;
  if (route.options().backend->external() && options_.self_test) {
    // Without a question (dynamic shapes) the first request is the first inference.
    const Result<const KnownAnswer*> asked = Question();
    if (!asked.ok()) return {};
    question = *asked;
    call.tensors = &question->inputs();
  } else {
    if (!options_.warm) return {};
    Result<Tensors> made = exec::SyntheticInputs(*model_, *function_, 1, 0);
    if (!made.ok()) return {};
    inputs = std::move(*made);
    call.tensors = &inputs;
  }
  const std::vector<exec::BoundInput> bound = exec::BindAll(*call.tensors);
  call.inputs = bound;
  const int64_t start_ns = clock_.monotonic_ns();
  int64_t waited_ns = 0;
  Status status = route.Run(call, &waited_ns);
  if (status.ok() && question != nullptr) {
    status = question->Check(results);
    if (!status.ok() && !options_.breaker.record_parity_drift_as_failure &&
        exec::FailureKindOf(status.error()) == exec::FailureKind::kParityDrift) {
      status = Status();
    }
  }
  const auto kind = status.ok() ? std::nullopt : exec::FailureKindOf(status.error());
  if (status.ok() || kind) {
    telemetry_->record_first_inference(clock_.monotonic_ns() - start_ns - waited_ns, status.ok(),
                                       route.planned(), route.observed(),
                                       kind.value_or(FailureKind::kUnknown));
  }
  if (status.ok()) served_.store(true, std::memory_order_relaxed);
  return status;
}

void Session::Prepare() {
  SetState(SessionState::kCompiling);
  Status first_problem;
  for (const auto& route : routes_) {
    if (route->stopped()) return;
    // A route that failed in an earlier process is not tried again while starting.
    if (route->breaker() != nullptr && !route->breaker()->Acquire()) continue;
    // If this process dies here, the next one detects it.
    std::optional<BreakerStore::Attempt> mark;
    if (store_ != nullptr && route->breaker() != nullptr) {
      if (auto begun = store_->Begin(KeyOf(*route), "load"); begun.ok()) {
        mark.emplace(std::move(*begun));
      }
    }
    bool may_plan = route->options().backend->external();
    Status status = TryInChild(*route, &may_plan);
    if (status.ok()) status = route->Load();
    if (status.ok()) {
      SetState(SessionState::kWarming);
      status = Warm(*route);
    }
    mark.reset();
    if (status.ok()) {
      if (may_plan) route->MakePlan(options_.breaker.load_timeout_ns);
      SetState(SessionState::kReady);
      return;
    }
    const auto kind = exec::FailureKindOf(status.error());
    if (route->breaker() != nullptr) {
      route->breaker()->Trip(kind.value_or(FailureKind::kUnknown));
    }
    const std::lock_guard lock(mutex_);
    if (load_status_.ok()) load_status_ = std::move(status).At(route->label());
  }
  SetState(SessionState::kFailed);
}

// --- A call ----------------------------------------------------------------

struct Session::Attempt {
  enum class Outcome : uint8_t { kAnswered, kCallersError, kFailed, kRefused };
  Outcome outcome = Outcome::kAnswered;
  FallbackReason reason = FallbackReason::kNone;
  Status status = {};
};

Session::Attempt Session::Try(Route& route, const Route::Call& call, CallReport& report) {
  std::optional<CircuitBreaker::Permit> permit;
  if (route.breaker() != nullptr) {
    permit.emplace(route.breaker()->Acquire());
    if (!*permit) {
      if (permit->probe_due()) WakeProber();
      return {
          Attempt::Outcome::kRefused, FallbackReason::kCircuitOpen,
          Unavailable("{}: the circuit is {}", route.label(), CircuitStateName(permit->state()))};
    }
  }
  ++report.attempts;
  const int64_t start_ns = clock_.monotonic_ns();
  int64_t waited_ns = -1;  // stays -1 when no lane was available
  Status status = route.Run(call, &waited_ns);
  const bool ran = waited_ns >= 0;
  const int64_t duration_ns = clock_.monotonic_ns() - start_ns - std::max<int64_t>(0, waited_ns);
  if (status.ok()) {
    if (permit) permit->Success(duration_ns);
    route.NoteDuration(duration_ns);
    if (served_.exchange(true, std::memory_order_relaxed)) {
      telemetry_->record_inference(duration_ns, true, route.planned(), route.observed());
    } else {
      telemetry_->record_first_inference(duration_ns, true, route.planned(), route.observed());
    }
    return {};
  }
  const auto kind = exec::FailureKindOf(status.error());
  if (!kind) {
    if (permit) permit->Ignore();
    return {Attempt::Outcome::kCallersError, FallbackReason::kNone, std::move(status)};
  }
  if (permit) permit->Failure(*kind, duration_ns);
  // A failed load has already been recorded.
  if (ran) {
    telemetry_->record_inference(duration_ns, false, route.planned(), route.observed(), *kind);
  }
  return {Attempt::Outcome::kFailed, FallbackReasonOf(*kind), std::move(status)};
}

void Session::Note(const Route& from, const Route& to, FallbackReason reason, CallReport& report) {
  if (report.fallback_reason == FallbackReason::kNone) {
    report.fallback_reason = reason;
    report.fallback_unix_ns = clock_.unix_ns();
  }
  telemetry_->record_fallback(reason, from.label(), to.label());
}

Status Session::Call(const Route::Call& asked, CallReport* report) {
  ANEMONE_TRY(declared_.CheckShapes(asked.inputs));
  if (!declared_.LacksDefault(asked.inputs)) return CallRoutes(asked, report);
  const Tensors& defaults = declared_.defaults();
  std::vector<exec::BoundInput> inputs(asked.inputs.begin(), asked.inputs.end());
  for (const auto& [name, tensor] : defaults) {
    if (exec::FindInput(asked.inputs, name) == nullptr) inputs.push_back({name, tensor.view()});
  }
  Tensors tensors;
  Route::Call call = asked;
  call.inputs = inputs;
  if (asked.tensors != nullptr) {
    tensors = *asked.tensors;
    tensors.insert(defaults.begin(), defaults.end());
    call.tensors = &tensors;
  }
  return CallRoutes(call, report);
}

Status Session::CallRoutes(const Route::Call& asked, CallReport* out) {
  CallReport local;
  CallReport& report = out != nullptr ? *out : local;
  report = {};
  const int64_t start_ns = clock_.monotonic_ns();
  Route::Call call = asked;
  const bool guarded = routes_.front()->breaker() != nullptr;
  size_t first = 0;
  if (guarded) {
    report.circuit_state = routes_.front()->breaker()->state();
    // Checked before any route is tried: the caller's mistake does not count as a failure.
    ANEMONE_TRY(exec::CheckInputs(*function_, call.inputs));
    const SessionState now = state();
    if (options_.serve_while_compiling && routes_.size() > 1 && now != SessionState::kReady &&
        now != SessionState::kFailed) {
      first = routes_.size() - 1;
      Note(*routes_.front(), *routes_[first], FallbackReason::kNotReady, report);
    }
  }
  std::string others;
  for (size_t i = first; i < routes_.size(); ++i) {
    Route& route = *routes_[i];
    call.check_finite = route.breaker() != nullptr && options_.breaker.record_nonfinite_as_failure;
    Attempt attempt = Try(route, call, report);
    if (attempt.outcome == Attempt::Outcome::kAnswered ||
        attempt.outcome == Attempt::Outcome::kCallersError) {
      report.backend = route.options().backend->name();
      report.external = route.options().backend->external();
      report.experimental = report.external && !certified_;
      report.compute_units = route.options().load.compute_units;
      report.planned = route.planned();
      report.observed = route.observed();
      report.duration_ns = clock_.monotonic_ns() - start_ns;
      return std::move(attempt.status);
    }
    if (i + 1 < routes_.size()) {
      Note(route, *routes_[i + 1], attempt.reason, report);
      others += (others.empty() ? "" : "; ") + attempt.status.error().message();
      continue;
    }
    report.duration_ns = clock_.monotonic_ns() - start_ns;
    Error error = std::move(attempt.status).error();
    if (!others.empty()) error = std::move(error).Advise("before that: " + others);
    return std::move(error).At(route.label());
  }
  return Internal("the session has no route");
}

Result<Session::Tensors> Session::Predict(const Tensors& inputs, exec::State* state,
                                          CallReport* report, const exec::Tracer* tracer) {
  Tensors results;
  const std::vector<exec::BoundInput> given = exec::BindAll(inputs);
  ANEMONE_TRY(Call({.inputs = given,
                    .tensors = &inputs,
                    .outputs = {},
                    .results = &results,
                    .state = state,
                    .tracer = tracer},
                   report));
  return results;
}

Status Session::PredictBound(std::span<const exec::BoundInput> inputs,
                             std::span<const exec::BoundOutput> outputs, exec::State* state,
                             CallReport* report) {
  return Call({.inputs = inputs,
               .tensors = nullptr,
               .outputs = outputs,
               .results = nullptr,
               .state = state,
               .tracer = nullptr},
              report);
}

// --- Probing -----------------------------------------------------------------

void Session::WakeProber() {
  const std::lock_guard lock(mutex_);
  wake_ = true;
  changed_.notify_all();
}

bool Session::ProbeOnce(Route& route) {
  CircuitBreaker::Permit probe = route.breaker()->AcquireProbe();
  if (!probe) return false;
  // Only the inference is timed: loading is always slow, and says nothing about the backend.
  int64_t duration_ns = 0;
  Status status = route.Load();
  const Result<const KnownAnswer*> question = Question();
  if (status.ok() && question.ok()) {
    Tensors results;
    exec::State state;
    const std::vector<exec::BoundInput> bound = exec::BindAll((*question)->inputs());
    Route::Call call;
    call.inputs = bound;
    call.tensors = &(*question)->inputs();
    call.results = &results;
    call.state = &state;
    int64_t waited_ns = 0;
    const int64_t start_ns = clock_.monotonic_ns();
    status = route.Run(call, &waited_ns);
    duration_ns = clock_.monotonic_ns() - start_ns - waited_ns;
    if (status.ok()) status = (*question)->Check(results);
  }
  if (status.ok()) {
    probe.Success(duration_ns);
    return true;
  }
  const auto kind = exec::FailureKindOf(status.error());
  probe.Failure(kind.value_or(FailureKind::kUnknown), duration_ns);
  return true;
}

void Session::Work() {
  if (options_.serve_while_compiling) Prepare();
  // An injected clock wakes no thread; requests that find a probe due do.
  constexpr auto kLongest = std::chrono::seconds(60);
  constexpr auto kMemoryInterval = std::chrono::milliseconds(250);
  constexpr auto kShortest = std::chrono::microseconds(100);
  for (;;) {
    std::chrono::nanoseconds wait = kLongest;
    for (const auto& route : routes_) {
      if (route->breaker() == nullptr) continue;
      if (const auto due = route->breaker()->probe_due_in_ns()) {
        wait = std::min<std::chrono::nanoseconds>(wait, std::chrono::nanoseconds(*due));
      }
    }
    // The limit on memory is checked between requests, never during one.
    if (options_.breaker.memory_limit_bytes > 0) {
      wait = std::min<std::chrono::nanoseconds>(wait, kMemoryInterval);
      if (const auto bytes = ResidentBytes()) {
        telemetry_->record_memory(*bytes);
        for (const auto& route : routes_) {
          if (route->breaker() != nullptr) route->breaker()->JudgeMemory(*bytes);
        }
      }
    }
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::max<std::chrono::nanoseconds>(wait, kShortest),
                        [&] { return stop_ || wake_; });
      if (stop_) return;
      wake_ = false;
    }
    for (const auto& route : routes_) {
      while (route->breaker() != nullptr && !route->stopped() && ProbeOnce(*route)) {
      }
    }
  }
}

}  // namespace anemone::runtime
