// A backend that computes as another does, and fails as often as it is told to: so that people see
// fallback, breaker and telemetry at work. Sessions treat it as external. Only a server that was
// started for it has one.
//
// Ownership: borrows the other backend, which lives as long as the process. Thread rules: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "exec/backend.h"

namespace anemone::serve {

class FaultInjection final : public exec::Backend {
 public:
  explicit FaultInjection(const exec::Backend& inner) : inner_(inner) {}

  // The next `calls` calls fail, beside those that were asked for before.
  void Fail(int64_t calls);
  // Calls that are still to fail.
  int64_t pending() const { return pending_->load(); }

  std::string_view name() const override { return "fault_injection"; }
  bool external() const override { return true; }
  Status Available() const override { return inner_.Available(); }
  Result<std::unique_ptr<exec::Executable>> Load(std::shared_ptr<const ir::Model> model,
                                                 const exec::LoadOptions& options) const override;

 private:
  const exec::Backend& inner_;
  // Shared, as a call that was given up may outlive this.
  std::shared_ptr<std::atomic<int64_t>> pending_ = std::make_shared<std::atomic<int64_t>>(0);
};

}  // namespace anemone::serve
