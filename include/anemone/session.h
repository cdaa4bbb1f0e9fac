// Session: a model that serves. It chooses a backend, answers calls from any number of threads,
// goes on answering when the backend fails, and counts what happened.
//
//   auto session = anemone::Session::Open(*model, {.backend = "auto"});
//   anemone::CallReport report;
//   auto outputs = session->Predict(inputs, nullptr, &report);   // report.backend: "cpu"
//
// Ownership: a Session is a cheap handle; the model lives as long as one of its sessions. A Binding
// borrows the memory that is bound to it. Thread rules: every method from any number of threads at
// once; one call at a time for each State and each Binding. Errors: returned as Failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "anemone/model.h"

#pragma GCC visibility push(default)
namespace anemone {

// Who answered a call.
struct CallReport {
  std::string backend;        // "coreml", "cpu"
  std::string compute_units;  // that the backend was allowed; empty for Anemone's executor
  bool experimental = false;  // no gate has passed it here with this model (docs/gate.md)
  std::string planned_unit;   // "cpu", "gpu", "ane", "mixed", "unknown"
  std::string observed_unit;  // "unknown" unless there was no choice: a plan is not an observation
  int attempts = 0;           // backends that were tried
  std::string fallback_reason;   // "none", "runtime_error", "circuit_open" ...
  int64_t fallback_unix_ns = 0;  // 0: no fallback
  std::string circuit_state;     // of the preferred backend, before the call
  int64_t duration_ns = 0;
};

// Inputs and outputs in the caller's memory, for calls that allocate nothing on the heap.
class Binding {
 public:
  Binding();
  ~Binding();
  Binding(Binding&&) noexcept;
  Binding& operator=(Binding&&) noexcept;
  // `dtype` is a NumPy name and must be the one that the model works with: "float32" for float16
  // features. `data` holds the elements row-major and outlives the binding's use.
  void BindInput(const std::string& name, const std::string& dtype, std::vector<int64_t> shape,
                 const void* data);
  // As BindInput, of an output; outputs that are not bound are dropped.
  void BindOutput(const std::string& name, const std::string& dtype, std::vector<int64_t> shape,
                  void* data);

 private:
  friend class Session;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A model that serves. Any number of threads may call it at once; copies share the session.
class Session {
 public:
  // Loads the backends that the options name, in their order; the CPU's executor is the last.
  static Expected<Session> Open(const Model& model, const SessionOptions& options = {});

  // One call: all outputs by name. A backend that fails is replaced by the next one for this call.
  // `report`: who answered, and why.
  Expected<std::map<std::string, Array>> Predict(const std::map<std::string, Array>& inputs,
                                                 State* state = nullptr,
                                                 CallReport* report = nullptr) const;
  // Reads the bound inputs, writes the bound outputs. Without a report, and in the steady state of
  // Anemone's executor, this allocates nothing on the heap.
  std::optional<Failure> Run(const Binding& binding, State* state = nullptr,
                             CallReport* report = nullptr) const;

  // nullopt when the model is not a classifier.
  std::optional<Classes> classes() const;
  // "loading", "compiling", "warming", "ready", "failed".
  std::string state() const;
  // Waits until the session is ready or failed, and returns its state.
  std::string WaitReady(int64_t timeout_ms) const;
  // The counts so far, as a JSON object (schema anemone.telemetry).
  std::string TelemetryJson() const;
  // Whether the work planned for other units fails so often that the CPU should answer.
  bool ShouldFallBackToCpu() const;

 private:
  struct Impl;
  explicit Session(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace anemone
#pragma GCC visibility pop
