// Measure: one or two sessions run side by side so that a verdict may rest on the times. Loading
// and the first inference are timed apart; calls warm up until they are steady; the measured calls
// of two subjects alternate in blocks, A B B A, so that drift in the machine falls on both
// equally. The result is a run record for each subject (runtime/run_record.h), whose calls share
// one clock: records are the only evidence that a gate reads.
//
// Units: nanoseconds. Thread rules: one thread measures; the sessions have their own. Errors: the
// caller's mistakes, and a session that does not open; failed calls are not errors but lines of
// the record, and end the run after `max_failures` in a row.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/tensor.h"
#include "runtime/run_record.h"
#include "runtime/session.h"

namespace anemone::lab {

struct MeasureOptions {
  // Warm-up: at least this long and so many calls, until the medians of two successive blocks
  // differ by less than the tolerance; given up after `warmup_cap_ns`.
  int64_t warmup_ns = 1'000'000'000;
  int64_t warmup_calls = 20;
  int64_t warmup_block = 50;
  double steady_tolerance = 0.05;
  int64_t warmup_cap_ns = 30'000'000'000;
  // Measured: until both minima are reached, or the cap.
  int64_t calls = 1000;
  int64_t duration_ns = 10'000'000'000;
  int64_t cap_ns = 600'000'000'000;
  int64_t block = 25;  // calls of one subject in a row
  int64_t max_failures = 20;
  uint64_t input_seed = 0;
  std::function<void(const std::string& stage, int64_t done, int64_t total)> progress = {};
  // Asked between calls; true ends the measurement with kCancelled.
  std::function<bool()> cancelled = {};
};

// What is measured.
struct Subject {
  std::string label;
  std::string model_name;
  std::string model_hash;  // 64 hexadecimal digits
  std::shared_ptr<const ir::Model> model;
  runtime::SessionOptions session;  // its telemetry is made here
  std::vector<std::shared_ptr<runtime::EventSink>> sinks = {};
  // Instead of what the session's first route plans.
  std::optional<std::vector<std::pair<std::string, ComputeUnit>>> planned_units = {};
  std::vector<runtime::RunParity> parity = {};  // measured before; goes into the record
  std::string record_path = {};                 // where to write the record; empty: nowhere
};

// The line of a record about a call that `report` tells of; its times and failure are the caller's.
runtime::RunCall CallOf(const runtime::CallReport& report, bool ok);
// The calls of a record that answered.
std::vector<int64_t> DurationsNs(const runtime::RunRecord& record);

struct Measured {
  std::string label;
  runtime::RunRecord record;
  runtime::TelemetrySnapshot telemetry;
  int64_t open_ns = 0;  // everything until the session could be asked
  std::optional<int64_t> load_ns;
  std::optional<int64_t> first_inference_ns;
  int64_t warmup_calls = 0;
  bool steady = false;
  int64_t working_memory_bytes = 0;
  std::shared_ptr<runtime::Session> session;  // open still, for a profile
  std::map<std::string, exec::Tensor> inputs;

  std::vector<int64_t> durations_ns() const { return DurationsNs(record); }
};

// Measures the subjects (one or two) in turn.
Result<std::vector<Measured>> Measure(const std::vector<Subject>& subjects,
                                      const MeasureOptions& options, std::string tool_version);

// The blocks of a record in the company of another: a run of calls that none of the other's
// interrupts. For a record alone, runs of `block` calls. Calls that failed are left out.
std::vector<std::vector<int64_t>> BlocksOf(const runtime::RunRecord& record,
                                           const runtime::RunRecord* other, int64_t block = 25);

}  // namespace anemone::lab
