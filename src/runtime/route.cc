#include "runtime/route.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "exec/failure.h"
#include "exec/function_inputs.h"
#include "runtime/known_answer.h"

namespace anemone::runtime {
namespace {

using Tensors = std::map<std::string, exec::Tensor>;

bool AllFinite(std::span<const exec::BoundInput> inputs) {
  for (const exec::BoundInput& input : inputs) {
    if (!runtime::AllFinite(input.tensor)) return false;
  }
  return true;
}

Result<Tensors> CopyAll(std::span<const exec::BoundInput> inputs) {
  Tensors copies;
  for (const exec::BoundInput& input : inputs) {
    ANEMONE_ASSIGN(copies[std::string(input.name)], exec::Tensor::Copy(input.tensor));
  }
  return copies;
}

Status NonFinite() {
  return exec::Failure(exec::FailureKind::kNonFinite,
                       "an output holds a NaN or an infinity, and no input does");
}

bool ResultsAreFinite(const Route::Call& call) {
  if (call.results != nullptr) return runtime::AllFinite(*call.results);
  return std::ranges::all_of(call.outputs, [](const exec::BoundOutput& output) {
    return runtime::AllFinite({output.tensor.dtype, output.tensor.shape, output.tensor.data});
  });
}

// One call on the caller's thread and memory.
Status RunOn(exec::Executable& executable, const Route::Call& call) {
  if (call.results == nullptr) {
    return executable.RunBound(call.inputs, call.outputs, call.state, call.tracer);
  }
  Tensors copies;
  if (call.tensors == nullptr) {
    ANEMONE_ASSIGN(copies, CopyAll(call.inputs));
  }
  const Tensors& inputs = call.tensors != nullptr ? *call.tensors : copies;
  ANEMONE_ASSIGN(*call.results, executable.Run(inputs, call.state, call.tracer));
  return {};
}

Error TimedOut(std::string_view what, int64_t timeout_ns) {
  return exec::Failure(exec::FailureKind::kTimeout,
                       fmt::format("{} took longer than {}", what, DurationText(timeout_ns)));
}

// The memory of a guarded call: none of it is the caller's, because it may outlive the call.
struct Staged {
  std::shared_ptr<exec::Executable> executable;
  Tensors inputs;
  exec::State state;
  bool has_state = false;
  Result<Tensors> results = Tensors{};
};

}  // namespace

std::string Route::label() const {
  std::string label(options_.backend->name());
  if (options_.backend->external()) {
    label += "/" + std::string(ComputeUnitsName(options_.load.compute_units));
  }
  return label;
}

ComputeUnit Route::observed() const {
  const bool no_choice =
      !options_.backend->external() || options_.load.compute_units == ComputeUnits::kCpuOnly;
  return no_choice ? ComputeUnit::kCpu : ComputeUnit::kUnknown;
}

void Route::MakePlan(int64_t timeout_ns) {
  auto plan = options_.backend->Plan(model_, options_.load, timeout_ns);
  if (!plan.ok() || plan->empty()) return;  // without a plan the units stay unknown
  ComputeUnit unit = plan->front().unit;
  for (const exec::PlannedOperation& operation : *plan) {
    if (operation.unit == ComputeUnit::kUnknown) {
      unit = ComputeUnit::kUnknown;
      break;
    }
    if (operation.unit != unit) unit = ComputeUnit::kMixed;
  }
  planned_.store(unit, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  plan_ = std::move(*plan);
}

std::vector<exec::PlannedOperation> Route::plan() const {
  const std::lock_guard lock(mutex_);
  return plan_;
}

void Route::NoteDuration(int64_t duration_ns) {
  if (breaker_ == nullptr || noted_.load(std::memory_order_relaxed) >= first_durations_ns_.size()) {
    return;
  }
  const size_t index = noted_.fetch_add(1, std::memory_order_acq_rel);
  if (index >= first_durations_ns_.size()) return;
  first_durations_ns_[index].store(duration_ns, std::memory_order_release);
  if (index + 1 < first_durations_ns_.size()) return;
  std::array<int64_t, 32> durations{};
  std::copy(first_durations_ns_.begin(), first_durations_ns_.end(), durations.begin());
  std::sort(durations.begin(), durations.end());
  breaker_->SetBaseline(durations[durations.size() / 2]);
}

Result<std::unique_ptr<Route::Lane>> Route::MakeLane() {
  auto lane = std::make_unique<Lane>();
  const bool guarded = options_.predict_timeout_ns > 0 || options_.load_timeout_ns > 0;
  const int64_t start_ns = NowNs();
  Result<std::unique_ptr<exec::Executable>> executable =
      [&]() -> Result<std::unique_ptr<exec::Executable>> {
    if (!guarded) return options_.backend->Load(model_, options_.load);
    lane->thread = std::make_unique<DeadlineThread>();
    // Shared with the thread, which may outlive this call.
    auto made = std::make_shared<Result<std::unique_ptr<exec::Executable>>>(
        Internal("the load has not ended"));
    const auto task = [made, backend = options_.backend, model = model_, load = options_.load] {
      *made = backend->Load(model, load);
    };
    if (options_.load_timeout_ns <= 0) {
      *made = options_.backend->Load(model_, options_.load);
    } else if (!lane->thread->Run(task, options_.load_timeout_ns, &stop_)) {
      return TimedOut("the load", options_.load_timeout_ns);
    }
    return std::move(*made);
  }();
  if (options_.predict_timeout_ns <= 0) lane->thread = nullptr;
  const int64_t duration_ns = NowNs() - start_ns;
  if (!executable.ok()) {
    const auto kind = exec::FailureKindOf(executable.error());
    if (telemetry_ != nullptr && kind) telemetry_->record_load(duration_ns, false, *kind);
    return std::move(executable).error();
  }
  lane->executable = std::move(*executable);
  if (telemetry_ != nullptr) telemetry_->record_load(duration_ns, true);
  return lane;
}

Result<std::unique_ptr<Route::Lane>> Route::Take() {
  uint64_t generation = 0;
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return !idle_.empty() || lanes_ < options_.max_lanes; });
    if (!idle_.empty()) {
      std::unique_ptr<Lane> lane = std::move(idle_.back());
      idle_.pop_back();
      return lane;
    }
    ++lanes_;
    generation = generation_;
  }
  Result<std::unique_ptr<Lane>> lane = MakeLane();
  if (lane.ok()) {
    (*lane)->generation = generation;
    return lane;
  }
  const std::lock_guard lock(mutex_);
  --lanes_;
  returned_.notify_one();
  return lane;
}

void Route::Return(std::unique_ptr<Lane> lane) {
  const bool lost = lane->thread != nullptr && lane->thread->lost();
  const int64_t bytes = lost ? 0 : lane->executable->working_memory_bytes();
  std::unique_ptr<Lane> ended;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  if (lost || lane->generation != generation_) {
    --lanes_;
    ended = std::move(lane);
  } else {
    lane_bytes_ = bytes;
    idle_.push_back(std::move(lane));
  }
  returned_.notify_one();
}

Status Route::Load() {
  ANEMONE_ASSIGN(std::unique_ptr<Lane> lane, Take());
  Return(std::move(lane));
  return {};
}

bool Route::loaded() const {
  const std::lock_guard lock(mutex_);
  return lanes_ > 0;
}

int64_t Route::working_memory_bytes() const {
  const std::lock_guard lock(mutex_);
  return lane_bytes_ * lanes_;
}

void Route::Drop() {
  std::vector<std::unique_ptr<Lane>> ended;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  ++generation_;
  lanes_ -= static_cast<int>(idle_.size());
  ended.swap(idle_);
  returned_.notify_all();
}

Status Route::Run(const Call& call, int64_t* waited_ns) {
  const int64_t start_ns = NowNs();
  ANEMONE_ASSIGN(std::unique_ptr<Lane> lane, Take());
  *waited_ns = NowNs() - start_ns;
  Status status = lane->thread != nullptr ? RunGuarded(*lane, call) : RunDirect(*lane, call);
  Return(std::move(lane));
  return status;
}

Status Route::RunDirect(Lane& lane, const Call& call) const {
  // Anemone's own backends put the states back by themselves.
  const bool keeps_states = call.state != nullptr && options_.backend->external();
  exec::State before;
  if (keeps_states) before = *call.state;
  Status status = RunOn(*lane.executable, call);
  if (status.ok() && call.check_finite && !ResultsAreFinite(call) && AllFinite(call.inputs)) {
    status = NonFinite();
  }
  if (!status.ok() && keeps_states) *call.state = std::move(before);
  return status;
}

Status Route::RunGuarded(Lane& lane, const Call& call) const {
  auto staged = std::make_shared<Staged>();
  staged->executable = lane.executable;
  ANEMONE_ASSIGN(staged->inputs, CopyAll(call.inputs));
  if (call.state != nullptr) {
    staged->state = *call.state;
    staged->has_state = true;
  }
  const exec::Tracer tracer = call.tracer != nullptr ? *call.tracer : exec::Tracer{};
  const auto task = [staged, tracer] {
    staged->results =
        staged->executable->Run(staged->inputs, staged->has_state ? &staged->state : nullptr,
                                tracer.on_operation ? &tracer : nullptr);
  };
  if (!lane.thread->Run(task, options_.predict_timeout_ns, &stop_)) {
    return TimedOut("the prediction", options_.predict_timeout_ns);
  }
  if (!staged->results.ok()) return std::move(staged->results).error();
  if (call.check_finite && !runtime::AllFinite(*staged->results) && AllFinite(call.inputs)) {
    return NonFinite();
  }
  if (call.results != nullptr) {
    *call.results = std::move(*staged->results);
  } else {
    for (const exec::BoundOutput& output : call.outputs) {
      const auto found = staged->results->find(std::string(output.name));
      if (found == staged->results->end())
        return Usage("the model has no output '{}'", output.name);
      ANEMONE_TRY(exec::CopyToBinding(found->second, output));
    }
  }
  if (call.state != nullptr) *call.state = std::move(staged->state);
  return {};
}

}  // namespace anemone::runtime
