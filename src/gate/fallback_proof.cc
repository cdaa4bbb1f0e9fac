#include "gate/fallback_proof.h"

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "base/json.h"
#include "exec/function_inputs.h"
#include "exec/synthetic_inputs.h"
#include "gate/fault_backend.h"
#include "lab/measure.h"
#include "runtime/backends.h"
#include "runtime/json_lines.h"
#include "runtime/run_record_io.h"
#include "runtime/session.h"

namespace anemone::gate {
namespace {

using runtime::FallbackReason;
using Tensors = std::map<std::string, exec::Tensor>;

struct Plan {
  const char* name;
  FaultKind fault;
  bool while_loading;  // armed before the session opens, else after
  FallbackReason reason;
};
constexpr Plan kPlans[] = {
    {"load error", FaultKind::kLoadError, true, FallbackReason::kCircuitOpen},
    {"wrong answer of the self-test", FaultKind::kWrongAnswer, true, FallbackReason::kCircuitOpen},
    {"error in a call", FaultKind::kRuntimeError, false, FallbackReason::kRuntimeError},
    {"NaN in an answer", FaultKind::kNotANumber, false, FallbackReason::kNonFinite},
    {"hanging call", FaultKind::kHang, false, FallbackReason::kTimeout},
};
constexpr int kCalls = 5;

bool SameBits(const Tensors& a, const Tensors& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    const auto found = b.find(name);
    if (found == b.end() || found->second.shape() != tensor.shape() ||
        found->second.dtype() != tensor.dtype() ||
        std::memcmp(found->second.As<uint8_t>(), tensor.As<uint8_t>(), tensor.size_bytes()) != 0) {
      return false;
    }
  }
  return true;
}

struct Setting {
  std::shared_ptr<const ir::Model> model;
  const exec::Backend* cpu;
  Tensors inputs;
  Tensors wanted;
  int64_t call_ns;  // how long the executor takes
  int threads;
  std::string model_hash;
};

Result<InjectedFault> Inject(const Plan& plan, const Setting& setting,
                             const std::shared_ptr<runtime::EventSink>& sink,
                             runtime::RunRecordWriter& writer, int64_t origin_ns) {
  InjectedFault fault;
  fault.name = plan.name;
  fault.expected = fmt::format("{} of {} calls answered by cpu with its own bits, reason {}",
                               kCalls, kCalls, runtime::FallbackReasonName(plan.reason));
  runtime::SessionOptions options;
  // A deadline that the executor itself keeps, on a busy machine as well. Only a hanging call is
  // waited for that long.
  options.breaker.predict_timeout_ns =
      plan.fault == FaultKind::kHang ? std::max<int64_t>(100'000'000, 4 * setting.call_ns)
                                     : std::max<int64_t>(10'000'000'000, 40 * setting.call_ns);
  options.breaker.wait_duration_in_open_state_ns = 600'000'000'000;  // no probe meanwhile
  FaultBackend backend(*setting.cpu);
  options.backends = {&backend, setting.cpu};
  options.load.threads = setting.threads;
  options.model_hash = setting.model_hash;
  options.telemetry = std::make_shared<runtime::Telemetry>(runtime::TelemetryOptions{
      .model = setting.model_hash, .backend = "injected_fault", .units = "all"});
  options.telemetry->AddSink(sink);
  if (plan.while_loading) backend.Arm(plan.fault);
  auto opened = runtime::Session::Open(setting.model, options);
  if (!opened.ok()) {
    fault.observed = "the session did not open: " + opened.error().ToString();
    return fault;
  }
  runtime::Session& session = **opened;
  backend.Arm(plan.fault);
  int64_t answered = 0;
  int64_t same = 0;
  FallbackReason reason = FallbackReason::kNone;
  for (int call = 0; call < kCalls; ++call) {
    runtime::CallReport report;
    const int64_t start_ns = NowNs();
    const auto outputs = session.Predict(setting.inputs, nullptr, &report);
    const int64_t end_ns = NowNs();
    runtime::RunCall line = lab::CallOf(report, outputs.ok());
    line.start_ns = start_ns - origin_ns;
    line.duration_ns = end_ns - start_ns;
    ANEMONE_TRY(writer.Append(line));
    if (call == 0) reason = report.fallback_reason;
    if (!outputs.ok() || report.backend != setting.cpu->name()) continue;
    ++answered;
    same += SameBits(*outputs, setting.wanted) ? 1 : 0;
  }
  const runtime::TelemetrySnapshot counts = session.telemetry().Snapshot();
  const bool open = session.routes().front()->breaker() != nullptr &&
                    session.routes().front()->breaker()->state() == runtime::CircuitState::kOpen;
  const bool adds_up = runtime::CheckConsistent(counts).ok();
  const auto fallbacks = counts.total_fallbacks();
  fault.observed = fmt::format(
      "{} of {} calls answered by cpu, {} with its own bits, reason {}, {} fallbacks counted, "
      "circuit {}{}",
      answered, kCalls, same, runtime::FallbackReasonName(reason), fallbacks,
      open ? "open" : "not open", adds_up ? "" : ", telemetry does not add up");
  fault.reached = backend.faults() > 0;
  fault.passed = answered == kCalls && same == kCalls && reason == plan.reason && open && adds_up &&
                 fallbacks >= kCalls && fault.reached;
  return fault;
}

}  // namespace

Result<FallbackProof> ProveFallback(std::shared_ptr<const ir::Model> model,
                                    const std::string& model_name, const std::string& model_hash,
                                    const std::string& directory, int threads) {
  Setting setting{std::move(model), nullptr, {}, {}, 0, threads, model_hash};
  ANEMONE_ASSIGN(setting.cpu, runtime::FindBackend("cpu"));
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*setting.model, ""));
  ANEMONE_ASSIGN(setting.inputs, exec::SyntheticInputs(*setting.model, *function, 0, 0));
  exec::LoadOptions load;
  load.threads = threads;
  ANEMONE_ASSIGN(const auto executor, setting.cpu->Load(setting.model, load));
  ANEMONE_TRY(executor->Run(setting.inputs, nullptr, nullptr).status());
  const int64_t start_ns = NowNs();
  ANEMONE_ASSIGN(setting.wanted, executor->Run(setting.inputs, nullptr, nullptr));
  setting.call_ns = NowNs() - start_ns;

  FallbackProof proof;
  const std::string events = directory + "/telemetry.jsonl";
  const std::string record = directory + "/fallback.run.jsonl";
  std::error_code ignored;
  std::filesystem::remove(events, ignored);
  runtime::RunHeader header;
  header.time_unix_ns = UnixNowNs();
  header.tool_version = "gate";
  header.machine = runtime::DescribeMachine();
  header.model = model_name;
  header.model_hash = model_hash;
  header.threads = threads;
  header.backend = "injected_fault";
  header.compute_units = "all";
  {
    ANEMONE_ASSIGN(std::shared_ptr<runtime::EventSink> sink,
                   runtime::JsonLinesSink::Open(events, {}));
    ANEMONE_ASSIGN(const auto writer, runtime::RunRecordWriter::Create(record, header));
    const int64_t origin_ns = NowNs();
    for (const Plan& plan : kPlans) {
      ANEMONE_ASSIGN(InjectedFault fault, Inject(plan, setting, sink, *writer, origin_ns));
      proof.faults.push_back(std::move(fault));
    }
    ANEMONE_TRY(writer->Finish(nullptr));
  }
  proof.logs.push_back(CheckEventLog(events));
  LogEvidence lines{record, 0, ""};
  const auto read = runtime::ReadRunRecord(record);
  if (read.ok()) {
    lines.lines = static_cast<int64_t>(read->calls.size()) + 2;
  } else {
    lines.problem = read.error().ToString();
  }
  proof.logs.push_back(std::move(lines));
  return proof;
}

LogEvidence CheckEventLog(const std::string& path) {
  LogEvidence log{path, 0, ""};
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    log.problem = path + ": cannot be read";
    return log;
  }
  for (std::string line; std::getline(stream, line);) {
    ++log.lines;
    const Json json = ParseJsonOrNull(line);
    std::string rule;
    if (stream.eof()) {
      rule = "the last line has no end";
    } else if (!json.is_object()) {
      rule = "each line must be a JSON object";
    } else if (json["schema"] != "anemone.event" || json["schema_version"] != 1) {
      rule = "'schema' must be \"anemone.event\" of version 1";
    } else if (!json["event"].is_text() || !json["time_unix_ns"].is_integer()) {
      rule = "'event' and 'time_unix_ns' must be given";
    }
    if (rule.empty()) continue;
    log.problem = fmt::format("{}:{}: {}", path, log.lines, rule);
    return log;
  }
  return log;
}

}  // namespace anemone::gate
