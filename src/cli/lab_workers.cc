// Both ends of a sweep on other machines.
#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/lab_flags.h"
#include "compress/configuration_json.h"
#include "runtime/child_process.h"

namespace anemone::cli {
namespace {

namespace fs = std::filesystem;

// This program, for workers.
std::string OwnPath() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  return error ? "anemone" : path.string();
}

std::string Joined(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += (text.empty() ? "" : ",") + fmt::format("{}", value);
  return text;
}

// The flags that a worker needs to come to the same subject. Paths are those of this machine: the
// workers see them through a shared file system.
std::vector<std::string> WorkerArguments(const LabFlags& flags) {
  const auto absolute = [](const std::string& path) { return fs::absolute(path).string(); };
  std::error_code error;
  const std::string& model = flags.model.source.model;
  std::vector<std::string> arguments{OwnPath(), "lab",
                                     fs::exists(model, error) ? absolute(model) : model, "-o",
                                     absolute(flags.output)};
  const auto add = [&](const std::string& flag, const std::string& value) {
    if (value.empty()) return;
    arguments.push_back(flag);
    arguments.push_back(value);
  };
  add("--weights", flags.model.source.weights);
  add("--seed", fmt::format("{}", flags.model.source.seed));
  for (const std::string& shape : flags.model.input_shapes) add("--input", shape);
  add("--minimum-deployment-target", flags.target);
  add("--compute-precision", flags.precision);
  for (const std::string& pattern : flags.keep_float32) add("--keep-float32", pattern);
  if (!flags.images.empty()) add("--images", absolute(flags.images));
  if (!flags.labels.empty()) add("--labels", absolute(flags.labels));
  if (!flags.calibration.empty()) add("--calibration", absolute(flags.calibration));
  if (flags.hold_out >= 0) add("--hold-out", fmt::format("{}", flags.hold_out));
  add("--limit", fmt::format("{}", flags.limit));
  add("--resize", fmt::format("{}", flags.resize));
  add("--crop", fmt::format("{}", flags.crop));
  add("--mean", Joined(flags.mean));
  add("--std", Joined(flags.deviation));
  add("--interpolation", flags.interpolation);
  add("--samples", fmt::format("{}", flags.samples));
  add("--input-seed", fmt::format("{}", flags.input_seed));
  add("--backend", flags.backend);
  arguments.emplace_back("--worker");
  return arguments;
}

// What the runner writes on its standard error: lines "progress DONE TOTAL NAME", and errors.
class RunnerErrors {
 public:
  explicit RunnerErrors(Progress& progress) : progress_(progress) {}

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
      if (words >> done >> total && std::getline(words >> std::ws, name))
        return progress_.Count(done, total, name);
    }
    // Ray's own log below errors: "[2026-11-23 20:26:39,277 W 23983 ...".
    constexpr size_t kSeverity = 25;
    if (line.starts_with("[20") && line.size() > kSeverity &&
        (line[kSeverity] == 'I' || line[kSeverity] == 'W'))
      return;
    if (text_.size() < kMostText) text_ += (text_.empty() ? "" : "\n") + line;
  }

  Progress& progress_;
  std::string line_;
  std::string text_;
};

}  // namespace

Status WorkOnJobs(const lab::LabSubject& subject, const Globals& globals) {
  lab::VariantOptions options;
  options.threads = globals.threads;
  for (std::string text; std::getline(std::cin, text);) {
    ANEMONE_ASSIGN(const lab::Job job, lab::ParseJob(subject, text));
    ANEMONE_ASSIGN(const auto outcome, lab::RunJob(subject, job, options));
    Json line{{"name", job.name}, {"key", job.key}};
    line["result"] = outcome.result.empty() ? Json(nullptr) : Json(outcome.result);
    line["error_code"] = outcome.error_code;
    line["error"] = outcome.error;
    line["duration_ns"] = outcome.duration_ns;
    std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
    if (!std::cout) return IoError("nobody reads the outcomes");
  }
  return {};
}

Status RunOnRay(const lab::LabSubject& subject, lab::JobsDb& db, std::span<const lab::Job> jobs,
                int64_t first_position, const LabFlags& flags, const Globals& globals,
                Progress& progress) {
  for (size_t i = 0; i < jobs.size(); ++i) {
    ANEMONE_TRY(db.AddVariant(subject.sha256(), jobs[i].name,
                              first_position + static_cast<int64_t>(i), jobs[i].key,
                              compress::ConfigurationJson(jobs[i].configuration)));
  }
  const char* python = std::getenv("ANEMONE_PYTHON");
  // The runner as a file, for a tree whose package is not installed.
  const char* runner = std::getenv("ANEMONE_RAY_RUNNER");
  runtime::ChildOptions child;
  child.timeout = std::chrono::hours(24 * 7);
  child.arguments.emplace_back(python != nullptr ? python : "python3");
  if (runner != nullptr) {
    child.arguments.emplace_back(runner);
  } else {
    child.arguments.insert(child.arguments.end(), {"-m", "anemone.lab.ray_runner"});
  }
  const std::string database = (fs::path(flags.output) / "lab.sqlite").string();
  const std::string threads = fmt::format("{}", globals.threads);
  child.arguments.insert(child.arguments.end(),
                         {"--address", flags.ray, "--database", database, "--subject",
                          subject.sha256(), "--threads", threads, "--"});
  for (std::string& argument : WorkerArguments(flags))
    child.arguments.push_back(std::move(argument));
  RunnerErrors errors(progress);
  child.on_errors = [&](std::string_view piece) { errors.Add(piece); };
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
        .At("--ray " + flags.ray)
        .Advise("start a cluster with `ray start --head`, or give --ray local");
  }
  return IoError("the sweep on Ray {}: {}", result.Describe(), text)
      .Advise("what is finished is kept: go on with --resume");
}

}  // namespace anemone::cli
