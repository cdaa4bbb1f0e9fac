// The child's side of a first load.
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "exec/function_inputs.h"
#include "format/package.h"
#include "runtime/backends.h"
#include "runtime/first_load.h"
#include "runtime/first_load_protocol.h"

namespace anemone::runtime {
namespace {

using SteadyClock = std::chrono::steady_clock;

int64_t Since(SteadyClock::time_point start) {
  return std::chrono::nanoseconds(SteadyClock::now() - start).count();
}

// One unbuffered write: the process may die right after it.
void Announce(const char* phase) {
  const std::string line = std::string(kPhaseMark) + phase + "\n";
  const ssize_t ignored = ::write(2, line.data(), line.size());
  (void)ignored;
}

FirstLoadVerdict Failed(FirstLoadVerdict verdict, const Error& error) {
  verdict.passed = false;
  verdict.failure = exec::FailureKindOf(error).value_or(exec::FailureKind::kUnknown);
  // The kind is prepended again when it is reported.
  verdict.message = error.ToString();
  const std::string prefix = std::string(exec::FailureKindName(*verdict.failure)) + ": ";
  if (verdict.message.starts_with(prefix)) verdict.message.erase(0, prefix.size());
  return verdict;
}

// The backend that gives the reference answers: the first of ours.
const exec::Backend* Trusted() {
  for (const exec::Backend* backend : Backends()) {
    if (!backend->external() && backend->Available().ok()) return backend;
  }
  return nullptr;
}

Result<FirstLoadVerdict> Try(const FirstLoadRequest& request) {
  ANEMONE_ASSIGN(const exec::Backend* backend, FindBackend(request.backend));
  ANEMONE_ASSIGN(ir::Model read, format::ReadModel(request.load.package_path));
  const auto model = std::make_shared<const ir::Model>(std::move(read));
  // Ours is asked first, so that its time and memory are not charged to the other.
  std::optional<KnownAnswer> question;
  if (const exec::Backend* trusted = Trusted()) {
    exec::LoadOptions load = request.load;
    load.compute_units = ComputeUnits::kCpuOnly;
    auto made = KnownAnswer::Make(*trusted, model, load);
    if (made.ok()) question = std::move(made).value();
  }
  FirstLoadVerdict verdict;
  verdict.phase = "load";
  Announce("load");
  const SteadyClock::time_point load_start = SteadyClock::now();
  auto executable = backend->Load(model, request.load);
  if (!executable.ok()) return Failed(verdict, executable.error());
  verdict.load_ns = Since(load_start);
  verdict.passed = true;
  if (!question) return verdict;

  verdict.phase = "predict";
  verdict.self_tested = true;
  Announce("predict");
  exec::State state;
  const SteadyClock::time_point run_start = SteadyClock::now();
  const auto outputs = (*executable)->Run(question->inputs(), &state, nullptr);
  if (!outputs.ok()) return Failed(verdict, outputs.error());
  verdict.first_inference_ns = Since(run_start);
  const Status status = question->Check(*outputs, request.limits);
  if (!status.ok()) return Failed(verdict, status.error());
  return verdict;
}

// Whether the backend answered in time, be it with an error.
bool AskForPlan(const FirstLoadRequest& request) {
  constexpr int64_t kMostNs = 20'000'000'000;
  const auto backend = FindBackend(request.backend);
  auto read = format::ReadModel(request.load.package_path);
  if (!backend.ok() || !read.ok()) return false;
  const int64_t timeout_ns = std::min<int64_t>(kMostNs, request.timeout.count() / 2);
  const auto plan = (*backend)->Plan(std::make_shared<const ir::Model>(std::move(*read)),
                                     request.load, timeout_ns);
  return plan.ok() || exec::FailureKindOf(plan.error()) != exec::FailureKind::kTimeout;
}

}  // namespace

int RunFirstLoadChild(const std::string& request_path) {
  auto request = ReadRequest(request_path);
  if (!request.ok()) return ExitCode(request.error().code());
  // If the parent dies, no one enforces the deadline: SIGALRM then ends this process.
  constexpr int64_t kSpareS = 10;
  const int64_t timeout_s =
      std::chrono::duration_cast<std::chrono::seconds>(request->timeout).count();
  ::alarm(static_cast<unsigned>(std::clamp<int64_t>(timeout_s, 0, 86'400) + kSpareS));
  auto verdict = Try(*request);
  if (!verdict.ok()) return ExitCode(verdict.error().code());
  if (verdict->passed) {
    // What is written now stands when the plan ends this process.
    verdict->planned = false;
    const Status kept = WriteVerdict(*verdict, request->result_path);
    if (!kept.ok()) return ExitCode(kept.error().code());
    Announce("plan");
    verdict->planned = AskForPlan(*request);
  }
  const Status written = WriteVerdict(*verdict, request->result_path);
  return written.ok() ? 0 : ExitCode(written.error().code());
}

}  // namespace anemone::runtime
