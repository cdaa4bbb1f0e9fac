// An external backend that is Anemone's own executor with injected faults: the gate uses it to
// prove that a session falls back. Its name says so, and its results are never reported as
// another backend's.
//
// Thread rules: as exec/backend.h; Arm from any thread. Ownership: shares its switch with the
// executables that it loads.
#pragma once

#include <atomic>
#include <memory>

#include "exec/backend.h"

namespace anemone::gate {

enum class FaultKind : uint8_t {
  kNone,
  kLoadError,     // the model does not load
  kRuntimeError,  // a call fails
  kNotANumber,    // a call returns NaN
  kWrongAnswer,   // a call returns finite nonsense
  kHang,          // a call returns only when another fault, or none, is armed
};

class FaultBackend : public exec::Backend {
 public:
  // `inner` is trusted and outlives this.
  explicit FaultBackend(const exec::Backend& inner) : inner_(inner) {}
  FaultBackend(const FaultBackend&) = delete;
  FaultBackend& operator=(const FaultBackend&) = delete;
  ~FaultBackend() override { Arm(FaultKind::kNone); }  // calls that hang return

  // Takes effect from the next call on.
  void Arm(FaultKind fault) {
    shared_->fault.store(fault);
    shared_->fault.notify_all();
  }
  int64_t faults() const { return shared_->faults.load(); }

  std::string_view name() const override { return "injected_fault"; }
  bool external() const override { return true; }
  Status Available() const override { return inner_.Available(); }
  Result<std::unique_ptr<exec::Executable>> Load(std::shared_ptr<const ir::Model> model,
                                                 const exec::LoadOptions& options) const override;

  struct Shared {
    std::atomic<FaultKind> fault{FaultKind::kNone};
    std::atomic<int64_t> faults{0};
  };

 private:
  const exec::Backend& inner_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace anemone::gate
