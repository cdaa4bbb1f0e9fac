#include "lab/measure.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/clock.h"
#include "exec/failure.h"
#include "exec/function_inputs.h"
#include "exec/synthetic_inputs.h"
#include "lab/latency.h"
#include "runtime/process_memory.h"
#include "runtime/run_record_io.h"

namespace anemone::lab {
namespace {

using runtime::CallReport;
using runtime::RunCall;

class TransitionCounter : public runtime::EventSink {
 public:
  void Emit(const runtime::Event& event) override {
    if (event.type == runtime::EventType::kCircuit) count.fetch_add(1);
  }
  std::atomic<int64_t> count{0};
};

// A subject at work: bound buffers, so that a call costs no copies that the backend does not make.
struct Runner {
  const Subject* subject = nullptr;
  Measured out;
  std::map<std::string, exec::Tensor> outputs;
  std::vector<exec::BoundInput> bound_inputs;
  std::vector<exec::BoundOutput> bound_outputs;
  exec::State state;
  std::unique_ptr<runtime::RunRecordWriter> writer;
  int64_t failures_in_a_row = 0;
  std::shared_ptr<TransitionCounter> transitions = std::make_shared<TransitionCounter>();
  int64_t told_ns = 0;  // when progress was last told

  // A sign of life for a waiting user: at most once a second, between two calls.
  void Tell(const MeasureOptions& options, const std::string& stage, int64_t done, int64_t total) {
    constexpr int64_t kEveryNs = 1'000'000'000;
    const int64_t now_ns = NowNs();
    if (!options.progress || now_ns - told_ns < kEveryNs) return;
    told_ns = now_ns;
    options.progress(stage, done, total);
  }

  // One call; how long it took and what became of it. An error is the caller's mistake.
  Result<RunCall> Call(int64_t origin_ns) {
    CallReport report;
    const int64_t start_ns = NowNs();
    const Status status = out.session->PredictBound(bound_inputs, bound_outputs, &state, &report);
    const int64_t end_ns = NowNs();
    RunCall call = CallOf(report, status.ok());
    call.start_ns = start_ns - origin_ns;
    call.duration_ns = end_ns - start_ns;
    // Without a breaker there is no circuit.
    if (out.session->routes().front()->breaker() == nullptr) call.circuit_state.reset();
    failures_in_a_row = status.ok() ? 0 : failures_in_a_row + 1;
    if (!status.ok()) {
      call.failure = exec::FailureKindOf(status.error());
      if (!call.failure) return Error(status.error()).At(subject->label);
      if (call.backend.empty())
        call.backend = out.session->routes().back()->options().backend->name();
    }
    return call;
  }
};

Status Prepare(Runner& runner, const MeasureOptions& options) {
  const Subject& subject = *runner.subject;
  Measured& out = runner.out;
  out.label = subject.label;
  ANEMONE_ASSIGN(const ir::Function* function,
                 exec::ChooseFunction(*subject.model, subject.session.load.function));
  ANEMONE_ASSIGN(out.inputs,
                 exec::SyntheticInputs(*subject.model, *function, options.input_seed, 0));
  runtime::SessionOptions session = subject.session;
  session.warm = false;  // the first inference is timed here
  session.model_hash = subject.model_hash;
  session.telemetry = std::make_shared<runtime::Telemetry>(runtime::TelemetryOptions{
      .model = subject.model_hash,
      .backend = session.backends.empty() ? session.backend
                                          : std::string(session.backends.front()->name()),
      .units = std::string(ComputeUnitsName(session.load.compute_units))});
  session.telemetry->AddSink(runner.transitions);
  for (const auto& sink : subject.sinks) session.telemetry->AddSink(sink);
  const int64_t start_ns = NowNs();
  ANEMONE_ASSIGN(out.session, runtime::Session::Open(subject.model, std::move(session)));
  // Our own executor loads with its first call unless told to.
  ANEMONE_ASSIGN(runner.outputs, out.session->Predict(out.inputs, &runner.state));
  out.open_ns = NowNs() - start_ns;
  runner.bound_inputs = exec::BindAll(out.inputs);
  for (auto& [name, tensor] : runner.outputs) {
    runner.bound_outputs.push_back({name, tensor.mutable_view()});
  }
  return {};
}

// Calls until two blocks have the same median, within the tolerance.
Status WarmUp(Runner& runner, const MeasureOptions& options) {
  const std::string stage = "warming up " + runner.out.label;
  if (options.progress) options.progress(stage, 0, 0);
  const int64_t start_ns = NowNs();
  std::vector<int64_t> block;
  std::optional<int64_t> median;
  const int64_t size = std::max<int64_t>(1, options.warmup_block);
  for (;;) {
    const int64_t spent_ns = NowNs() - start_ns;
    const bool enough =
        spent_ns >= options.warmup_ns && runner.out.warmup_calls >= options.warmup_calls;
    if (enough && (runner.out.steady || spent_ns >= options.warmup_cap_ns)) break;
    if (runner.failures_in_a_row > options.max_failures) break;
    if (options.cancelled && options.cancelled()) return Cancelled("interrupted");
    ANEMONE_ASSIGN(const RunCall call, runner.Call(start_ns));
    ++runner.out.warmup_calls;
    runner.Tell(options, stage, 0, 0);
    if (!call.ok) continue;
    block.push_back(call.duration_ns);
    if (static_cast<int64_t>(block.size()) < size) continue;
    const int64_t now = PercentileNs(block, 50);
    if (median) {
      const double change = std::abs(static_cast<double>(now - *median)) /
                            static_cast<double>(std::max<int64_t>(1, *median));
      runner.out.steady = change < options.steady_tolerance;
    }
    median = now;
    block.clear();
  }
  return {};
}

runtime::RunHeader HeaderOf(const Runner& runner, const runtime::RunMachine& machine,
                            int64_t unix_ns, const std::string& tool_version) {
  const Subject& subject = *runner.subject;
  const runtime::RouteOptions& route = runner.out.session->routes().front()->options();
  runtime::RunHeader header;
  header.time_unix_ns = unix_ns;
  header.tool_version = tool_version;
  header.machine = machine;
  header.model = subject.model_name;
  header.model_hash = subject.model_hash;
  header.threads = route.load.threads > 0 ? route.load.threads : machine.cores.value_or(0);
  header.backend = route.backend->name();
  header.compute_units = route.backend->external()
                             ? std::string(ComputeUnitsName(route.load.compute_units))
                             : "cpu_only";
  header.planned_units = subject.planned_units;
  const auto plan = runner.out.session->routes().front()->plan();
  if (!header.planned_units && !plan.empty()) {
    auto& units = header.planned_units.emplace();
    for (const exec::PlannedOperation& operation : plan) {
      units.emplace_back(operation.output, operation.unit);
    }
  }
  return header;
}

Status SampleMemory(Runner& runner, int64_t origin_ns) {
  const auto bytes = runtime::ResidentBytes();
  if (!bytes) return {};
  runner.out.session->telemetry().record_memory(*bytes);
  runtime::RunMemory sample{NowNs() - origin_ns,
                            static_cast<int64_t>(runner.out.record.calls.size()), *bytes};
  runner.out.record.memory.push_back(sample);
  return runner.writer == nullptr ? Status() : runner.writer->AppendMemory(sample);
}

Status RunBlock(Runner& runner, const MeasureOptions& options, int64_t origin_ns) {
  for (int64_t i = 0; i < options.block && runner.failures_in_a_row <= options.max_failures; ++i) {
    if (options.cancelled && options.cancelled()) return Cancelled("interrupted");
    ANEMONE_ASSIGN(RunCall call, runner.Call(origin_ns));
    call.index = static_cast<int64_t>(runner.out.record.calls.size());
    if (runner.writer != nullptr) ANEMONE_TRY(runner.writer->Append(call));
    runner.out.record.calls.push_back(std::move(call));
    runner.Tell(options, "measuring", static_cast<int64_t>(runner.out.record.calls.size()),
                options.calls);
  }
  return SampleMemory(runner, origin_ns);
}

Status Finish(Runner& runner) {
  Measured& out = runner.out;
  out.telemetry = out.session->telemetry().Snapshot();
  ANEMONE_TRY(runtime::CheckConsistent(out.telemetry));
  const auto& load = out.telemetry.load;
  const auto& first = out.telemetry.first_inference;
  if (load.succeeded > 0) out.load_ns = load.latency.Percentile(50);
  if (first.succeeded > 0) out.first_inference_ns = first.latency.Percentile(50);
  out.working_memory_bytes = out.session->working_memory_bytes();
  const int64_t transitions = runner.transitions->count.load();
  out.record.summary = runtime::SummaryOf(out.record.calls, &out.telemetry, transitions);
  if (runner.writer == nullptr) return {};
  return runner.writer->Finish(&out.telemetry, transitions);
}

}  // namespace

RunCall CallOf(const CallReport& report, bool ok) {
  RunCall call;
  call.ok = ok;
  call.backend = report.backend;
  call.planned = report.planned;
  call.observed = report.observed;
  call.attempts = std::max(1, report.attempts);
  call.fallback_reason = report.fallback_reason;
  call.circuit_state = report.circuit_state;
  return call;
}

std::vector<int64_t> DurationsNs(const runtime::RunRecord& record) {
  std::vector<int64_t> durations;
  for (const RunCall& call : record.calls) {
    if (call.ok) durations.push_back(call.duration_ns);
  }
  return durations;
}

Result<std::vector<Measured>> Measure(const std::vector<Subject>& subjects,
                                      const MeasureOptions& options, std::string tool_version) {
  if (subjects.empty() || subjects.size() > 2) {
    return Usage("one or two subjects can be measured, not {}", subjects.size());
  }
  std::vector<Runner> runners(subjects.size());
  const runtime::RunMachine machine = runtime::DescribeMachine();
  for (size_t i = 0; i < subjects.size(); ++i) {
    runners[i].subject = &subjects[i];
    if (options.progress) options.progress("loading " + subjects[i].label, 0, 0);
    ANEMONE_TRY(Prepare(runners[i], options).At(subjects[i].label));
  }
  for (Runner& runner : runners) ANEMONE_TRY(WarmUp(runner, options));
  const int64_t unix_ns = UnixNowNs();
  const int64_t origin_ns = NowNs();
  for (Runner& runner : runners) {
    runner.out.record.header = HeaderOf(runner, machine, unix_ns, tool_version);
    // What is appended later must not move the vector in the middle of a measurement.
    runner.out.record.calls.reserve(static_cast<size_t>(options.calls + options.block));
    if (!runner.subject->record_path.empty()) {
      ANEMONE_ASSIGN(runner.writer, runtime::RunRecordWriter::Create(runner.subject->record_path,
                                                                     runner.out.record.header));
    }
    runner.out.record.parity = runner.subject->parity;
    for (const runtime::RunParity& parity : runner.subject->parity) {
      if (runner.writer != nullptr) ANEMONE_TRY(runner.writer->AppendParity(parity));
    }
    ANEMONE_TRY(SampleMemory(runner, origin_ns));
  }
  const auto done = [&] {
    const int64_t spent_ns = NowNs() - origin_ns;
    if (spent_ns >= options.cap_ns) return true;
    return std::all_of(runners.begin(), runners.end(), [&](const Runner& runner) {
      if (runner.failures_in_a_row > options.max_failures) return true;
      return static_cast<int64_t>(runner.out.record.calls.size()) >= options.calls &&
             spent_ns >= options.duration_ns;
    });
  };
  for (int64_t round = 0; !done(); ++round) {
    for (size_t i = 0; i < runners.size(); ++i) {
      ANEMONE_TRY(
          RunBlock(runners[round % 2 == 0 ? i : runners.size() - 1 - i], options, origin_ns));
    }
    if (options.progress) {
      options.progress("measuring", static_cast<int64_t>(runners[0].out.record.calls.size()),
                       options.calls);
    }
  }
  std::vector<Measured> measured;
  for (Runner& runner : runners) {
    ANEMONE_TRY(Finish(runner).At(runner.subject->label));
    measured.push_back(std::move(runner.out));
  }
  return measured;
}

std::vector<std::vector<int64_t>> BlocksOf(const runtime::RunRecord& record,
                                           const runtime::RunRecord* other, int64_t block) {
  const auto at = [](const runtime::RunRecord& of, const RunCall& call) {
    return of.header.time_unix_ns + call.start_ns;
  };
  std::vector<std::vector<int64_t>> blocks;
  size_t seen = 0;  // calls of the other that began before
  bool begin = true;
  for (const RunCall& call : record.calls) {
    if (other != nullptr) {
      while (seen < other->calls.size() && at(*other, other->calls[seen]) < at(record, call)) {
        ++seen;
        begin = true;
      }
    } else {
      begin = begin || static_cast<int64_t>(blocks.back().size()) >= block;
    }
    if (begin) blocks.emplace_back();
    begin = false;
    if (call.ok) blocks.back().push_back(call.duration_ns);
  }
  return blocks;
}

}  // namespace anemone::lab
