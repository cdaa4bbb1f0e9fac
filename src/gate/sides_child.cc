#include "gate/sides_child.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/json_file.h"
#include "base/json_reader.h"
#include "base/npy.h"
#include "base/temporary_folder.h"
#include "gate/sides.h"
#include "neural_network/lift.h"
#include "runtime/child_process.h"
#include "runtime/run_record_io.h"

namespace anemone::gate {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kRequestSchema = "anemone.gate_run_request";
constexpr const char* kResultSchema = "anemone.gate_run_result";
// Begins a line of the child's standard error that reports its stage: MARK done total stage.
constexpr std::string_view kStageMark = "anemone-gate-run: ";
constexpr size_t kLastWords = 3;

// The tensors as files of `folder`: [[{"name", "file"}, ...] of each set].
Result<Json> WriteInputs(const std::vector<lab::Inputs>& sets, const TemporaryFolder& folder) {
  Json json = Json::Array();
  for (const lab::Inputs& set : sets) {
    Json files = Json::Array();
    for (const auto& [name, tensor] : set) {
      const std::string path = folder / fmt::format("{}.{}.npy", json.size(), files.size());
      ANEMONE_ASSIGN(const ir::Literal literal, tensor.ToLiteral(tensor.dtype()));
      ANEMONE_ASSIGN(const auto bytes,
                     EncodeNpy({tensor.dtype(), tensor.shape(), literal.bytes()}));
      ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
      ANEMONE_TRY(file.Write(std::span<const std::byte>(bytes)));
      ANEMONE_TRY(file.Commit());
      files.push_back({{"name", name}, {"file", path}});
    }
    json.push_back(std::move(files));
  }
  return json;
}

Result<std::vector<lab::Inputs>> ReadInputs(const Json& sets) {
  std::vector<lab::Inputs> inputs;
  for (const Json& set : sets) {
    lab::Inputs tensors;
    for (const Json& file : set) {
      ANEMONE_ASSIGN(const NpyArray array, ReadNpy(file["file"].text()));
      ANEMONE_ASSIGN(
          const ir::Literal literal,
          ir::Literal::FromBytes(ir::Type::Tensor(array.dtype, array.shape), array.data));
      ANEMONE_ASSIGN(tensors[file["name"].text()], exec::Tensor::FromLiteral(literal));
    }
    inputs.push_back(std::move(tensors));
  }
  return inputs;
}

// Writes the known accuracy of the model, and its names, as a record without calls.
Status WriteFacts(const LiveModel& model, const LiveOptions& options, const Evidence& evidence,
                  const std::string& path) {
  runtime::RunHeader header;
  header.tool_version = options.tool_version;
  header.machine = runtime::DescribeMachine();
  header.model = model.name;
  header.model_hash = model.hash;
  header.threads = options.threads;
  header.backend = "none";
  header.compute_units = "cpu_only";
  ANEMONE_ASSIGN(auto writer, runtime::RunRecordWriter::Create(path, header));
  for (const runtime::RunParity& row : evidence.parity) ANEMONE_TRY(writer->AppendParity(row));
  return writer->Finish(nullptr);
}

// Keeps the child's last stage and its last output; passes stages on.
class Listener {
 public:
  explicit Listener(const LiveOptions& options) : options_(options) {}

  void Hear(std::string_view text) {
    line_.append(text);
    for (size_t end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
      Line(line_.substr(0, end));
      line_.erase(0, end + 1);
    }
    constexpr size_t kLongestLine = 4096;
    if (line_.size() > kLongestLine) line_.erase(0, line_.size() - kLongestLine);
  }
  const std::string& stage() const { return stage_; }
  // Whether it reported no stage at all.
  bool silent() const { return !told_; }
  const std::vector<std::string>& last_words() const { return words_; }

 private:
  void Line(const std::string& line) {
    if (!line.starts_with(kStageMark)) {
      if (line.empty()) return;
      if (words_.size() >= kLastWords) words_.erase(words_.begin());
      words_.push_back(line.substr(0, 300));
      return;
    }
    long long done = 0;
    long long total = 0;
    int length = 0;
    const char* rest = line.c_str() + kStageMark.size();
    if (std::sscanf(rest, "%lld %lld %n", &done, &total, &length) < 2) return;
    stage_ = rest + length;
    told_ = true;
    if (options_.progress) options_.progress(stage_, done, total);
  }

  const LiveOptions& options_;
  std::string line_;
  std::string stage_ = "starting";
  bool told_ = false;
  std::vector<std::string> words_;
};

// Long enough for everything that the policy allows; silence ends a hanging child much earlier.
std::chrono::nanoseconds LongestRun(const RunPolicy& run) {
  const double seconds =
      4 * run.max_silence_s + 2 * run.warmup_cap_s + run.warmup_s + run.max_duration_s + 60;
  constexpr double kAWeek = 7.0 * 24 * 3600;
  return std::chrono::nanoseconds(static_cast<int64_t>(std::min(seconds, kAWeek) * 1e9));
}

EarlyEnd EndOf(const runtime::ChildResult& ended, const Listener& listener) {
  return {ended.Describe(), listener.stage(), ended.end == runtime::ChildResult::End::kTimedOut,
          listener.last_words()};
}

// Takes the findings of a child that ended normally. The caller's mistake, or a file that cannot be
// written, is not a finding about the model.
Status TakeResult(const Json& result, Evidence& evidence) {
  if (result.contains("error")) {
    const int64_t code = result["error_code"].is_integer() ? result["error_code"].integer() : -1;
    const bool known = code >= 0 && code <= static_cast<int>(ErrorCode::kInternal);
    return Error(known ? static_cast<ErrorCode>(code) : ErrorCode::kInternal,
                 result["error"].text());
  }
  evidence.unavailable = result["unavailable"].text();
  evidence.compile_error = result["compile_error"].text();
  return {};
}

// Runs one child and adds its findings to `evidence`.
Status RunOnce(const Policy& policy, const LiveOptions& options, const TemporaryFolder& scratch,
               Json request, Evidence& evidence) {
  const std::string result_path = scratch / "result.json";
  const std::string request_path = scratch / "request.json";
  std::error_code ignored;
  fs::remove(result_path, ignored);
  // Removes those of an earlier run, because this one may never write them.
  for (const char* name : {"/subject.run.jsonl", "/baseline.run.jsonl"}) {
    fs::remove(options.directory + name, ignored);
  }
  request["result"] = result_path;
  request["unavailable"] = evidence.unavailable;
  ANEMONE_TRY(WriteJsonFile(request, request_path));
  Listener listener(options);
  runtime::ChildOptions child;
  child.arguments = options.helper;
  child.arguments.emplace_back(kRunSidesCommand);
  child.arguments.push_back(request_path);
  // A killed child's temporary files are removed with our folder.
  child.environment = {{"TMPDIR", scratch.path()}};
  child.timeout = LongestRun(policy.run);
  child.max_silence =
      std::chrono::nanoseconds(static_cast<int64_t>(policy.run.max_silence_s * 1e9));
  child.on_errors = [&](std::string_view text) { listener.Hear(text); };
  child.cancelled = options.cancelled;
  ANEMONE_ASSIGN(const runtime::ChildResult ended, runtime::RunChild(child));
  if (ended.end == runtime::ChildResult::End::kExited) {
    const auto result = ReadJsonFile(result_path, kResultSchema);
    if (result.ok()) {
      ANEMONE_TRY(TakeResult(*result, evidence));
    } else if (listener.silent()) {
      const std::string words =
          listener.last_words().empty() ? "" : ": " + listener.last_words().back();
      return Unavailable("the process for the measured calls {}{}", ended.Describe(), words)
          .At(options.helper.front())
          .Advise("ANEMONE_HELPER names the anemone command of this version");
    }
    if (!result.ok()) evidence.ended = EndOf(ended, listener);
  } else {
    evidence.ended = EndOf(ended, listener);
  }
  for (const char* name : {"/subject.run.jsonl", "/baseline.run.jsonl"}) {
    const std::string path = options.directory + name;
    if (!fs::exists(path, ignored)) continue;
    ANEMONE_ASSIGN(RecordFile file, ReadRecordFile(path));
    evidence.records.push_back(std::move(file));
  }
  return {};
}

// The child's reports: one unbuffered write each, because the process may die right after it.
class Teller {
 public:
  void operator()(const std::string& stage, int64_t done, int64_t total) {
    constexpr auto kEvery = std::chrono::milliseconds(100);
    const Clock::time_point now = Clock::now();
    if (stage == stage_ && now - told_ < kEvery) return;
    stage_ = stage;
    told_ = now;
    const std::string line = fmt::format("{}{} {} {}\n", kStageMark, done, total, stage);
    const ssize_t ignored = ::write(2, line.data(), line.size());
    (void)ignored;
  }

 private:
  std::string stage_;
  Clock::time_point told_;
};

// The parent's request.
struct Request {
  std::string policy;  // as a policy file
  std::string facts;
  std::string package;
  std::string directory;
  std::string precision;
  std::string unavailable;
  std::string result;
  Json inputs;
};

Result<Request> ReadRequest(const Json& json) {
  JsonDocument document = JsonDocument::Of(json, "a request", {.all_required = true});
  Request request;
  {
    JsonObject top = document.root();
    top.Find("schema");
    top.Find("schema_version");
    if (const Json* policy = top.Map("policy")) request.policy = policy->Dump();
    top.Get("facts", &request.facts);
    top.Get("package", &request.package);
    top.Get("directory", &request.directory);
    top.Get("precision", &request.precision);
    top.Get("unavailable", &request.unavailable);
    top.Get("result", &request.result);
    if (const Json* inputs = top.Array("inputs")) request.inputs = *inputs;
  }
  ANEMONE_TRY(document.status(ErrorCode::kUsage));
  return request;
}

Result<Json> DoRequest(const Request& request, const exec::Backend* subject_backend) {
  ANEMONE_ASSIGN(const Policy policy, ParsePolicy(request.policy, "request"));
  ANEMONE_ASSIGN(runtime::RunRecord facts, runtime::ReadRunRecord(request.facts));
  LiveModel model;
  model.name = facts.header.model;
  model.hash = facts.header.model_hash;
  model.path = request.package;
  ANEMONE_ASSIGN(model.real_inputs, ReadInputs(request.inputs));
  ANEMONE_ASSIGN(ir::Model read, neural_network::ReadModel(model.path));
  model.model = std::make_shared<const ir::Model>(std::move(read));
  LiveOptions options;
  options.directory = request.directory;
  options.threads = static_cast<int>(facts.header.threads);
  options.tool_version = facts.header.tool_version;
  options.subject_backend = subject_backend;
  options.progress = [tell = std::make_shared<Teller>()](const std::string& stage, int64_t done,
                                                         int64_t total) {
    (*tell)(stage, done, total);
  };
  Evidence evidence;
  evidence.precision = request.precision;
  evidence.unavailable = request.unavailable;
  evidence.parity = std::move(facts.parity);
  ANEMONE_TRY(RunSides(policy, model, options, evidence));
  return Json{{"schema", kResultSchema},
              {"schema_version", 1},
              {"unavailable", evidence.unavailable},
              {"compile_error", evidence.compile_error}};
}

}  // namespace

Status RunSidesInChild(const Policy& policy, const LiveModel& model, const LiveOptions& options,
                       Evidence& evidence) {
  ANEMONE_ASSIGN(const TemporaryFolder scratch, TemporaryFolder::Create("anemone-gate-run"));
  Json request{{"schema", kRequestSchema}, {"schema_version", 1}};
  request["policy"] = PolicyJson(policy);
  request["package"] = fs::absolute(model.path).string();
  request["directory"] = fs::absolute(options.directory).string();
  request["precision"] = evidence.precision;
  request["facts"] = scratch / "facts.run.jsonl";
  ANEMONE_TRY(WriteFacts(model, options, evidence, scratch / "facts.run.jsonl"));
  ANEMONE_ASSIGN(request["inputs"], WriteInputs(model.real_inputs, scratch));
  ANEMONE_TRY(RunOnce(policy, options, scratch, request, evidence));
  if (!evidence.ended || !evidence.records.empty()) return {};
  // The subject killed its process before there was a record: the baseline is measured alone.
  const EarlyEnd ended = *evidence.ended;
  evidence.unavailable = ended.ToString();
  if (policy.baseline_backend.empty()) return {};
  evidence.ended.reset();
  ANEMONE_TRY(RunOnce(policy, options, scratch, request, evidence));
  evidence.ended = ended;
  return {};
}

int RunSidesChild(const std::string& request_path, const exec::Backend* subject_backend) {
  const auto json = ReadJsonFile(request_path, kRequestSchema);
  if (!json.ok()) return ExitCode(json.error().code());
  const auto request = ReadRequest(*json);
  if (!request.ok()) return ExitCode(request.error().code());
  const auto result = DoRequest(*request, subject_backend);
  const Json told = result.ok() ? *result
                                : Json{{"schema", kResultSchema},
                                       {"schema_version", 1},
                                       {"error", result.error().ToString()},
                                       {"error_code", static_cast<int>(result.error().code())}};
  const Status written = WriteJsonFile(told, request->result);
  if (!written.ok()) return ExitCode(written.error().code());
  return result.ok() ? 0 : ExitCode(result.error().code());
}

}  // namespace anemone::gate
