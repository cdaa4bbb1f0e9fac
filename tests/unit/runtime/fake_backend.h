// An external backend for tests: computes with the reference kernels and does wrong what it is told
// to, for each kind of compute units.
#pragma once

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "exec/failure.h"
#include "exec/reference_backend.h"

namespace anemone::runtime::fakes {

enum class Fault : uint8_t {
  kNone,
  kRuntimeError,
  kMemoryPressure,
  kNan,
  kWrong,       // finite and wrong
  kWrongShape,  // schema mismatch
  kSlow,
  kHang,  // until Release()
};

class FakeBackend : public exec::Backend {
 public:
  // Decides what the next call does; called for load (call < 0) and for each call.
  using Script = std::function<Fault(ComputeUnits units, int64_t call)>;

  explicit FakeBackend(Script script) : shared_(std::make_shared<Shared>()) {
    shared_->script = std::move(script);
  }
  ~FakeBackend() override { Release(); }

  std::string_view name() const override { return "fake"; }
  bool external() const override { return true; }
  Status Available() const override { return {}; }

  Result<std::unique_ptr<exec::Executable>> Load(std::shared_ptr<const ir::Model> model,
                                                 const exec::LoadOptions& options) const override {
    // An abandoned load may return after this backend is destroyed.
    const std::shared_ptr<Shared> shared = shared_;
    shared->loads.fetch_add(1);
    const Fault fault = shared->Ask(options.compute_units, -1);
    if (fault == Fault::kHang) shared->Hang();
    if (fault != Fault::kNone && fault != Fault::kSlow && fault != Fault::kHang) {
      return exec::Failure(exec::FailureKind::kLoadError, "told to fail");
    }
    ANEMONE_ASSIGN(auto inner, exec::ReferenceBackend().Load(std::move(model), {}));
    std::unique_ptr<exec::Executable> executable =
        std::make_unique<FakeExecutable>(shared, std::move(inner), options.compute_units);
    return executable;
  }

  Result<std::vector<exec::PlannedOperation>> Plan(std::shared_ptr<const ir::Model>,
                                                   const exec::LoadOptions&,
                                                   int64_t) const override {
    if (plan_.empty()) return Unavailable("no plan was given");
    return plan_;
  }
  void SetPlan(std::vector<exec::PlannedOperation> plan) { plan_ = std::move(plan); }

  void Release() const {
    const std::lock_guard lock(shared_->mutex);
    shared_->released = true;
    shared_->changed.notify_all();
  }
  void SetScript(Script script) {
    const std::lock_guard lock(shared_->mutex);
    shared_->script = std::move(script);
  }
  int64_t calls() const { return shared_->calls.load(); }
  int64_t loads() const { return shared_->loads.load(); }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool released = false;
    Script script;
    std::atomic<int64_t> calls{0};
    std::atomic<int64_t> loads{0};

    Fault Ask(ComputeUnits units, int64_t call) {
      Script script_now;
      {
        const std::lock_guard lock(mutex);
        script_now = script;
      }
      return script_now ? script_now(units, call) : Fault::kNone;
    }
    void Hang() {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return released; });
    }
  };

  class FakeExecutable : public exec::Executable {
   public:
    FakeExecutable(std::shared_ptr<Shared> shared, std::unique_ptr<exec::Executable> inner,
                   ComputeUnits units)
        : shared_(std::move(shared)), inner_(std::move(inner)), units_(units) {}

    Result<std::map<std::string, exec::Tensor>> Run(
        const std::map<std::string, exec::Tensor>& inputs, exec::State* state,
        const exec::Tracer* tracer) override {
      const Fault fault = shared_->Ask(units_, shared_->calls.fetch_add(1));
      ANEMONE_ASSIGN(auto outputs, inner_->Run(inputs, state, tracer));
      exec::Tensor& first = outputs.begin()->second;
      switch (fault) {
        case Fault::kNone:
          break;
        case Fault::kRuntimeError:
          return exec::Failure(exec::FailureKind::kRuntimeError, "told to fail");
        case Fault::kMemoryPressure:
          return exec::Failure(exec::FailureKind::kMemoryPressure, "told to fail");
        case Fault::kNan:
          first.As<float>()[0] = NAN;
          break;
        case Fault::kWrong:
          for (int64_t i = 0; i < first.count(); ++i) first.As<float>()[i] = 1000.0f;
          break;
        case Fault::kWrongShape:
          return exec::Failure(exec::FailureKind::kSchemaMismatch, "told to return [7]");
        case Fault::kSlow:
          std::this_thread::sleep_for(std::chrono::milliseconds(2));
          break;
        case Fault::kHang:
          shared_->Hang();
          break;
      }
      return outputs;
    }
    int64_t working_memory_bytes() const override { return 64; }

   private:
    std::shared_ptr<Shared> shared_;
    std::unique_ptr<exec::Executable> inner_;
    ComputeUnits units_;
  };

  std::shared_ptr<Shared> shared_;
  std::vector<exec::PlannedOperation> plan_;
};

}  // namespace anemone::runtime::fakes
