#include "lab/workers.h"

#include <chrono>
#include <cstdlib>
#include <istream>
#include <ostream>
#include <sstream>
#include <utility>

#include "base/json.h"
#include "compress/configuration_json.h"
#include "runtime/child_process.h"

namespace anemone::lab {
namespace {

// What the runner writes on its standard error: lines "progress DONE TOTAL NAME", and errors.
class RunnerErrors {
 public:
  explicit RunnerErrors(const RayOptions& options) : options_(options) {}

  void Add(std::string_view piece) {
    line_ += piece;
    for (size_t end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
      Take(line_.substr(0, end));
      line_.erase(0, end + 1);
    }
  }
  const std::string& text() {
    if (!line_.empty()) Take(std::exchange(line_, {}));
    return text_;
  }

 private:
  void Take(const std::string& line) {
    constexpr std::string_view kMark = "progress ";
    constexpr size_t kMostText = 4096;
    if (line.starts_with(kMark)) {
      std::istringstream words(line.substr(kMark.size()));
      int64_t done = 0;
      int64_t total = 0;
      std::string name;
      if (words >> done >> total && std::getline(words >> std::ws, name)) {
        if (options_.progress) options_.progress(name, done, total);
        return;
      }
    }
    // Ray's own log below errors: "[2026-11-23 20:26:39,277 W 23983 ...".
    constexpr size_t kSeverity = 25;
    if (line.starts_with("[20") && line.size() > kSeverity &&
        (line[kSeverity] == 'I' || line[kSeverity] == 'W'))
      return;
    if (text_.size() < kMostText) text_ += (text_.empty() ? "" : "\n") + line;
  }

  const RayOptions& options_;
  std::string line_;
  std::string text_;
};

std::vector<std::string> RunnerArguments(const RayOptions& options, const std::string& subject) {
  const char* python = std::getenv("ANEMONE_PYTHON");
  std::vector<std::string> arguments{!options.python.empty() ? options.python
                                     : python != nullptr     ? python
                                                             : "python3"};
  // The runner as a file, for a tree whose package is not installed.
  if (const char* runner = std::getenv("ANEMONE_RAY_RUNNER")) {
    arguments.emplace_back(runner);
  } else {
    arguments.insert(arguments.end(), {"-m", "anemone.ray_runner"});
  }
  arguments.insert(arguments.end(),
                   {"--address", options.address, "--database", options.database, "--subject",
                    subject, "--threads", fmt::format("{}", options.threads), "--"});
  arguments.insert(arguments.end(), options.worker.begin(), options.worker.end());
  return arguments;
}

}  // namespace

Status WorkOnJobs(const LabSubject& subject, int threads, std::istream& jobs,
                  std::ostream& outcomes) {
  VariantOptions options;
  options.threads = threads;
  for (std::string text; std::getline(jobs, text);) {
    ANEMONE_ASSIGN(const Job job, ParseJob(subject, text));
    ANEMONE_ASSIGN(const auto outcome, RunJob(subject, job, options));
    Json line{{"name", job.name}, {"key", job.key}};
    line["result"] = outcome.result.empty() ? Json() : Json(outcome.result);
    line["error_code"] = outcome.error_code;
    line["error"] = outcome.error;
    line["duration_ns"] = outcome.duration_ns;
    outcomes << line.Dump() << std::endl;
    if (!outcomes) return IoError("the reader of the outcomes is gone");
  }
  return {};
}

Status RunOnRay(const LabSubject& subject, JobsDb& db, std::span<const Job> jobs,
                int64_t first_position, const RayOptions& options) {
  for (size_t i = 0; i < jobs.size(); ++i) {
    ANEMONE_TRY(db.AddVariant(subject.sha256(), jobs[i].name,
                              first_position + static_cast<int64_t>(i), jobs[i].key,
                              compress::ConfigurationJson(jobs[i].configuration)));
  }
  RunnerErrors errors(options);
  runtime::ChildOptions child;
  child.timeout = std::chrono::hours(24 * 7);
  child.arguments = RunnerArguments(options, subject.sha256());
  child.on_errors = [&](std::string_view piece) { errors.Add(piece); };
  child.cancelled = options.cancelled;
  ANEMONE_ASSIGN(const auto result, runtime::RunChild(child));
  if (result.end == runtime::ChildResult::End::kExited && result.exit_code == 0) return {};
  const std::string& text = errors.text();
  constexpr int kNoRay = 4;
  constexpr int kNoCluster = 5;
  if (result.exit_code == kNoRay) {
    return Unavailable("there is no Ray here: {}", text)
        .Advise("pip install 'anemone[ray]', or leave --ray away");
  }
  if (result.exit_code == kNoCluster) {
    return Unavailable("{}", text)
        .At("--ray " + options.address)
        .Advise("start a cluster with `ray start --head`, or give --ray local");
  }
  return IoError("the sweep on Ray {}: {}", result.Describe(), text)
      .Advise("what is finished is kept: go on with --resume");
}

}  // namespace anemone::lab
