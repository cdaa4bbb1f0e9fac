// The body of include/anemone/session.h.
#include "anemone/session.h"

#include <algorithm>

#include "base/fork_gate.h"
#include "facade/arrays.h"
#include "facade/binding.h"
#include "facade/model_handle.h"
#include "facade/session_options.h"
#include "facade/state.h"
#include "runtime/telemetry_json.h"

namespace anemone {

struct Binding::Impl : facade::BoundMemory {};

Binding::Binding() : impl_(std::make_unique<Impl>()) {}
Binding::~Binding() = default;
Binding::Binding(Binding&&) noexcept = default;
Binding& Binding::operator=(Binding&&) noexcept = default;

void Binding::BindInput(const std::string& name, const std::string& dtype,
                        std::vector<int64_t> shape, const void* data) {
  impl_->BindInput(name, facade::DTypeOfNumpy(dtype), std::move(shape), data);
}

void Binding::BindOutput(const std::string& name, const std::string& dtype,
                         std::vector<int64_t> shape, void* data) {
  impl_->BindOutput(name, facade::DTypeOfNumpy(dtype), std::move(shape), data);
}

struct Session::Impl {
  std::shared_ptr<runtime::Session> session;
  std::string name;
  ir::Metadata metadata;
  ForkGate gate;
};

Expected<Session> Session::Open(const Model& model, const SessionOptions& options) {
  auto session = facade::OpenSession(model.impl_->loaded, model.impl_->argument, options);
  if (!session.ok()) return facade::ToFailure(session.error());
  auto impl = std::make_shared<Impl>();
  impl->session = std::move(*session);
  impl->name = model.impl_->loaded.name;
  impl->metadata = model.impl_->loaded.model->metadata;
  return Session(std::move(impl));
}

namespace {

CallReport ToReport(const runtime::CallReport& from) {
  CallReport report;
  report.backend = from.backend;
  if (from.external) report.compute_units = ComputeUnitsName(from.compute_units);
  report.experimental = from.experimental;
  report.planned_unit = ComputeUnitName(from.planned);
  report.observed_unit = ComputeUnitName(from.observed);
  report.attempts = from.attempts;
  report.fallback_reason = runtime::FallbackReasonName(from.fallback_reason);
  report.fallback_unix_ns = from.fallback_unix_ns;
  report.circuit_state = runtime::CircuitStateName(from.circuit_state);
  report.duration_ns = from.duration_ns;
  return report;
}

}  // namespace

Expected<std::map<std::string, Array>> Session::Predict(const std::map<std::string, Array>& inputs,
                                                        State* state, CallReport* report) const {
  const ForkGate::Call entered = impl_->gate.Enter();
  const Status usable = entered.status();
  if (!usable.ok()) return facade::ToFailure(usable.error());
  const auto tensors = facade::ToTensors(inputs, impl_->session->function(), impl_->metadata);
  if (!tensors.ok()) return facade::ToFailure(tensors.error());
  exec::State* const values = state != nullptr ? &facade::ValuesOf(*state) : nullptr;
  const Status given = facade::CheckStateIsGiven(impl_->session->function(), values);
  if (!given.ok()) return facade::ToFailure(given.error());
  runtime::CallReport called;
  auto outputs = impl_->session->Predict(*tensors, values, &called);
  if (report != nullptr) *report = ToReport(called);
  if (!outputs.ok()) return facade::ToFailure(std::move(outputs).At(impl_->name).error());
  auto arrays = facade::ToArrays(*outputs);
  if (!arrays.ok()) return facade::ToFailure(arrays.error());
  return std::move(*arrays);
}

std::optional<Failure> Session::Run(const Binding& binding, State* state,
                                    CallReport* report) const {
  const ForkGate::Call entered = impl_->gate.Enter();
  const Status usable = entered.status();
  if (!usable.ok()) return facade::ToFailure(usable.error());
  exec::State* const values = state != nullptr ? &facade::ValuesOf(*state) : nullptr;
  const Status given = facade::CheckStateIsGiven(impl_->session->function(), values);
  if (!given.ok()) return facade::ToFailure(given.error());
  runtime::CallReport called;
  const Status status =
      impl_->session->PredictBound(binding.impl_->inputs, binding.impl_->outputs, values, &called);
  if (report != nullptr) *report = ToReport(called);
  if (status.ok()) return std::nullopt;
  return facade::ToFailure(status.error());
}

std::optional<Classes> Session::classes() const {
  return facade::ToClasses(impl_->session->classes());
}

std::string Session::state() const {
  return std::string(runtime::SessionStateName(impl_->session->state()));
}

std::string Session::WaitReady(int64_t timeout_ms) const {
  constexpr int64_t kMost = INT64_MAX / 1'000'000;
  const int64_t timeout_ns = std::clamp<int64_t>(timeout_ms, 0, kMost) * 1'000'000;
  return std::string(runtime::SessionStateName(impl_->session->WaitReady(timeout_ns)));
}

std::string Session::TelemetryJson() const {
  const runtime::Telemetry& telemetry = impl_->session->telemetry();
  return runtime::TelemetryJson(telemetry.Snapshot(), telemetry.options());
}

bool Session::ShouldFallBackToCpu() const {
  return impl_->session->telemetry().should_fallback_to_cpu();
}

}  // namespace anemone
