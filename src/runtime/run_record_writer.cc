#include <fmt/core.h>

#include <cmath>
#include <filesystem>
#include <system_error>

#include "runtime/json_lines_text.h"
#include "runtime/run_record_io.h"

namespace anemone::runtime {
namespace {

std::string TextOrNull(const std::optional<std::string>& text) {
  return text ? JsonString(*text) : "null";
}
std::string TextOrNull(const std::optional<int64_t>& value) {
  return value ? fmt::format("{}", *value) : "null";
}

// {"a":1,"b":0}: every name, so that a reader needs no defaults.
template <typename Enum, size_t kSize>
std::string Counts(const std::array<int64_t, kSize>& counts, std::string_view (*name)(Enum),
                   size_t first = 0) {
  std::string out = "{";
  for (size_t i = first; i < kSize; ++i) {
    out += fmt::format("{}\"{}\":{}", i == first ? "" : ",", name(static_cast<Enum>(i)), counts[i]);
  }
  return out + "}";
}

std::string PhaseText(const RunPhase& phase) {
  return fmt::format(R"({{"succeeded":{},"failed":{},"p50_ns":{}}})", phase.succeeded, phase.failed,
                     TextOrNull(phase.p50_ns));
}

std::string MachineText(const RunMachine& m) {
  return fmt::format(
      R"({{"os":{},"os_version":{},"os_build":{},"architecture":{},"hardware_model":{},"chip":{},)"
      R"("cores":{},"memory_bytes":{},"thermal_state":{},"power_mode":{},"qos":{}}})",
      JsonString(m.os), TextOrNull(m.os_version), TextOrNull(m.os_build),
      JsonString(m.architecture), TextOrNull(m.hardware_model), TextOrNull(m.chip),
      TextOrNull(m.cores), TextOrNull(m.memory_bytes), TextOrNull(m.thermal_state),
      TextOrNull(m.power_mode), TextOrNull(m.qos));
}

RunPhase PhaseOf(const PhaseCounts& counts) {
  RunPhase phase;
  phase.succeeded = static_cast<int64_t>(counts.succeeded);
  phase.failed = static_cast<int64_t>(counts.failed);
  if (counts.succeeded > 0) phase.p50_ns = counts.latency.Percentile(50);
  return phase;
}

void Count(const RunCall& call, RunSummary& tally, LatencyHistogram& latency) {
  ++tally.calls;
  if (call.ok) {
    ++tally.ok;
    latency.Record(call.duration_ns);
  } else {
    ++tally.failed;
    ++tally.failures[static_cast<size_t>(call.failure.value_or(FailureKind::kUnknown))];
  }
  if (call.fallback_reason != FallbackReason::kNone) {
    ++tally.fallbacks[static_cast<size_t>(call.fallback_reason)];
  }
  ++tally.planned[static_cast<size_t>(call.planned)];
  ++tally.observed[static_cast<size_t>(call.observed)];
}

RunSummary Complete(RunSummary summary, const LatencyHistogram& latency,
                    const TelemetrySnapshot* telemetry, int64_t circuit_transitions) {
  if (latency.count() > 0) {
    summary.latency =
        RunLatency{latency.min_ns(),       latency.Percentile(50), latency.Percentile(90),
                   latency.Percentile(95), latency.Percentile(99), latency.Percentile(99.9),
                   latency.max_ns()};
  }
  if (telemetry != nullptr) {
    summary.compile = PhaseOf(telemetry->compile);
    summary.load = PhaseOf(telemetry->load);
    summary.first_inference = PhaseOf(telemetry->first_inference);
    summary.inference = PhaseOf(telemetry->inference);
    summary.memory_high_water_bytes = telemetry->memory_high_water_bytes;
    summary.events_dropped = static_cast<int64_t>(telemetry->events_dropped);
  }
  summary.circuit_transitions = circuit_transitions;
  return summary;
}

}  // namespace

std::string RunHeaderLine(const RunHeader& h) {
  std::string planned = "null";
  if (h.planned_units) {
    planned = "{";
    for (const auto& [name, unit] : *h.planned_units) {
      planned += fmt::format("{}{}:\"{}\"", planned.size() == 1 ? "" : ",", JsonString(name),
                             ComputeUnitName(unit));
    }
    planned += "}";
  }
  return fmt::format(
      R"({{"schema":"{}","schema_version":{},"type":"header","time_unix_ns":{},)"
      R"("tool_version":{},"machine":{},"model":{},"model_hash":{},"threads":{},"clients":{},)"
      R"("backend":{},"compute_units":{},"planned_units":{}}})",
      kRunSchema, kRunSchemaVersion, h.time_unix_ns, JsonString(h.tool_version),
      MachineText(h.machine), JsonString(h.model), JsonString(h.model_hash), h.threads, h.clients,
      JsonString(h.backend), JsonString(h.compute_units), planned);
}

std::string RunCallLine(const RunCall& c) {
  const auto quoted = [](std::string_view name) { return fmt::format("\"{}\"", name); };
  return fmt::format(
      R"({{"type":"call","index":{},"start_ns":{},"duration_ns":{},"ok":{},"backend":{},)"
      R"("planned_unit":"{}","observed_unit":"{}","attempts":{},"fallback_reason":"{}",)"
      R"("circuit_state":{},"failure":{}}})",
      c.index, c.start_ns, c.duration_ns, c.ok, JsonString(c.backend), ComputeUnitName(c.planned),
      ComputeUnitName(c.observed), c.attempts, FallbackReasonName(c.fallback_reason),
      c.circuit_state ? quoted(CircuitStateName(*c.circuit_state)) : "null",
      c.failure ? quoted(FailureKindName(*c.failure)) : "null");
}

std::string RunMemoryLine(const RunMemory& m) {
  return fmt::format(R"({{"type":"memory","time_ns":{},"calls":{},"resident_bytes":{}}})",
                     m.time_ns, m.calls, m.resident_bytes);
}

std::string RunParityLine(const RunParity& p) {
  const auto number = [](const std::optional<double>& value) {
    return value && std::isfinite(*value) ? fmt::format("{}", *value) : std::string("null");
  };
  return fmt::format(
      R"({{"type":"parity","output":{},"inputs":{},"reference":{},"precision":{},"samples":{},)"
      R"("non_finite":{},"l_inf":{},"rmse":{},"relative":{}}})",
      JsonString(p.output), JsonString(p.inputs), JsonString(p.reference), JsonString(p.precision),
      p.samples, p.non_finite, number(p.l_inf), number(p.rmse), p.relative);
}

std::string RunSummaryLine(const RunSummary& s) {
  std::string latency = "null";
  if (s.latency) {
    const RunLatency& l = *s.latency;
    latency = fmt::format(
        R"({{"min_ns":{},"p50_ns":{},"p90_ns":{},"p95_ns":{},"p99_ns":{},"p999_ns":{},"max_ns":{}}})",
        l.min_ns, l.p50_ns, l.p90_ns, l.p95_ns, l.p99_ns, l.p999_ns, l.max_ns);
  }
  return fmt::format(
      R"({{"type":"summary","calls":{},"ok":{},"failed":{},"failures":{},"fallbacks":{},)"
      R"("planned_units":{},"observed_units":{},"latency":{},"compile":{},"load":{},)"
      R"("first_inference":{},"inference":{},"memory_high_water_bytes":{},)"
      R"("circuit_transitions":{},"events_dropped":{}}})",
      s.calls, s.ok, s.failed, Counts(s.failures, FailureKindName),
      Counts(s.fallbacks, FallbackReasonName, 1), Counts(s.planned, ComputeUnitName),
      Counts(s.observed, ComputeUnitName), latency, PhaseText(s.compile), PhaseText(s.load),
      PhaseText(s.first_inference), PhaseText(s.inference), TextOrNull(s.memory_high_water_bytes),
      s.circuit_transitions, s.events_dropped);
}

RunSummary SummaryOf(const std::vector<RunCall>& calls, const TelemetrySnapshot* telemetry,
                     int64_t circuit_transitions) {
  RunSummary tally;
  LatencyHistogram latency;
  for (const RunCall& call : calls) Count(call, tally, latency);
  return Complete(tally, latency, telemetry, circuit_transitions);
}

Result<std::unique_ptr<RunRecordWriter>> RunRecordWriter::Create(const std::string& path,
                                                                 const RunHeader& header) {
  std::error_code absent;
  std::filesystem::remove(path, absent);
  ANEMONE_ASSIGN(OutputFile file, OutputFile::Create(path));
  std::unique_ptr<RunRecordWriter> writer(new RunRecordWriter(std::move(file)));
  ANEMONE_TRY(writer->file_.Write(RunHeaderLine(header) + "\n"));
  return writer;
}

Status RunRecordWriter::Append(RunCall call) {
  const std::lock_guard lock(mutex_);
  if (finished_) return Internal("a call after the end of the run record").At(file_.path());
  call.index = tally_.calls;
  if (call.ok) {
    call.failure.reset();
  } else if (!call.failure) {
    call.failure = FailureKind::kUnknown;
  }
  Count(call, tally_, latency_);
  return file_.Write(RunCallLine(call) + "\n");
}

Status RunRecordWriter::AppendMemory(RunMemory memory) {
  const std::lock_guard lock(mutex_);
  if (finished_) return Internal("a line after the end of the run record").At(file_.path());
  memory.calls = tally_.calls;
  return file_.Write(RunMemoryLine(memory) + "\n");
}

Status RunRecordWriter::AppendParity(const RunParity& parity) {
  const std::lock_guard lock(mutex_);
  if (finished_) return Internal("a line after the end of the run record").At(file_.path());
  return file_.Write(RunParityLine(parity) + "\n");
}

Status RunRecordWriter::Finish(const TelemetrySnapshot* telemetry, int64_t circuit_transitions) {
  const std::lock_guard lock(mutex_);
  if (finished_) return Internal("the run record was finished before").At(file_.path());
  finished_ = true;
  const RunSummary summary = Complete(tally_, latency_, telemetry, circuit_transitions);
  ANEMONE_TRY(file_.Write(RunSummaryLine(summary) + "\n"));
  return file_.Close();
}

}  // namespace anemone::runtime
