#include "lab/sweep.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "compress/configuration_json.h"
#include "lab/sensitivity.h"

namespace anemone::lab {
namespace {

// Whether another attempt would give the same result.
bool IsVerdict(ErrorCode code) {
  return code == ErrorCode::kUsage || code == ErrorCode::kUnsupported ||
         code == ErrorCode::kInvalidInput || code == ErrorCode::kMismatch;
}

using NamedConfiguration = std::pair<std::string, compress::Configuration>;

constexpr JsonRules kRules{.max_depth = 32};

// One {"name": ..., "configuration": {...}}.
Result<NamedConfiguration> ReadRow(const Json& row, const std::string& place) {
  if (!row.is_object() || !row.contains("name") || !row["name"].is_text())
    return Usage("{} has no name", place);
  for (const auto& [key, value] : row.items()) {
    if (key != "name" && key != "configuration")
      return Usage("{} has the unknown key '{}'", place, key);
  }
  NamedConfiguration named{row["name"].text(), {}};
  if (row.contains("configuration") && !row["configuration"].is_null()) {
    ANEMONE_ASSIGN(named.second, compress::ParseConfiguration(row["configuration"].Dump())
                                     .At(fmt::format("variant '{}'", named.first)));
  }
  return named;
}

compress::Configuration Uniform(const compress::OpConfig& config) {
  compress::WeightStep step;
  step.global_config = config;
  return {.weights = {std::move(step)}};
}

}  // namespace

Job MakeJob(const LabSubject& subject, std::string name, compress::Configuration configuration) {
  Job job{std::move(name), std::move(configuration), {}};
  job.key = subject.KeyOf(job.configuration);
  return job;
}

Result<JobOutcome> RunJob(const LabSubject& subject, const Job& job,
                          const VariantOptions& options) {
  const int64_t start_ns = NowNs();
  const auto result = MeasureVariant(subject, job.configuration, options);
  JobOutcome outcome;
  outcome.duration_ns = NowNs() - start_ns;
  if (result.ok()) {
    outcome.result = ResultJson(*result);
    return outcome;
  }
  if (!IsVerdict(result.error().code())) return result.error();
  outcome.error_code = ErrorCodeName(result.error().code());
  outcome.error = result.error().ToString();
  return outcome;
}

Status StoreOutcome(JobsDb& db, const std::string& key, const JobOutcome& outcome) {
  if (outcome.result.empty()) return db.StoreFailure(key, outcome);
  ANEMONE_ASSIGN(const VariantResult result, ParseResult(outcome.result));
  return db.Store(key, result, outcome);
}

Result<Finished> ToFinished(const Job& job, const JobOutcome& outcome) {
  Finished finished{job, {}, outcome.error_code, outcome.error};
  if (!outcome.result.empty()) {
    ANEMONE_ASSIGN(finished.result, ParseResult(outcome.result));
  }
  return finished;
}

Result<std::vector<Finished>> RunSweep(const LabSubject& subject, JobsDb& db,
                                       std::span<const Job> jobs, int64_t first_position,
                                       const SweepOptions& options) {
  for (size_t i = 0; i < jobs.size(); ++i) {
    ANEMONE_TRY(db.AddVariant(subject.sha256(), jobs[i].name,
                              first_position + static_cast<int64_t>(i), jobs[i].key,
                              compress::ConfigurationJson(jobs[i].configuration)));
  }
  std::vector<std::optional<Finished>> finished(jobs.size());
  std::atomic<size_t> next = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex;
  Status failure;
  int64_t done = 0;
  const auto total = static_cast<int64_t>(jobs.size());
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int workers =
      std::clamp(options.jobs, 1, static_cast<int>(std::max<size_t>(1, jobs.size())));
  const int all = options.threads > 0 ? options.threads : cores;
  VariantOptions measure;
  measure.threads = std::max(1, all / workers);
  measure.cancelled = [&] { return stop || (options.cancelled && options.cancelled()); };
  const auto run_one = [&](size_t i) -> Status {
    ANEMONE_ASSIGN(auto known, db.Find(jobs[i].key));
    const bool found = known.has_value();
    if (!found) {
      ANEMONE_ASSIGN(known, RunJob(subject, jobs[i], measure));
      ANEMONE_TRY(StoreOutcome(db, jobs[i].key, *known));
    }
    ANEMONE_ASSIGN(finished[i], ToFinished(jobs[i], *known));
    const std::lock_guard lock(mutex);
    ++done;
    if (options.progress) options.progress(done, total, *finished[i], found);
    return {};
  };
  const auto work = [&] {
    for (size_t i = next++; i < jobs.size() && !stop; i = next++) {
      Status status = measure.cancelled() ? Status(Cancelled("interrupted")) : run_one(i);
      if (status.ok()) continue;
      const std::lock_guard lock(mutex);
      if (failure.ok()) failure = std::move(status).At(fmt::format("variant '{}'", jobs[i].name));
      stop = true;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < workers; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  ANEMONE_TRY(failure);
  std::vector<Finished> all_finished;
  for (auto& one : finished) all_finished.push_back(std::move(*one));
  return all_finished;
}

Result<std::vector<Job>> DefaultJobs(const LabSubject& subject) {
  std::vector<Job> jobs;
  jobs.push_back(MakeJob(subject, "base", {}));
  for (const Form& form : FormsOf(subject.function().opset, subject.calibration() != nullptr))
    jobs.push_back(MakeJob(subject, form.name, Uniform(form.config)));
  return jobs;
}

Result<std::vector<NamedConfiguration>> ReadConfigurations(const std::string& path) {
  constexpr size_t kMaxBytes = size_t{64} << 20;
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  if (bytes.size() > kMaxBytes)
    return Usage("a list of {} bytes is too long", bytes.size()).At(path);
  const Json json = ParseJsonOrNull(bytes.text(), kRules);
  const auto wrong = [&](const std::string& text) {
    return Usage("{}", text)
        .At(path)
        .Advise(R"(write {"variants": [{"name": "int8", "configuration": {...}}]})");
  };
  if (!json.is_object() || !json.contains("variants") || !json["variants"].is_array())
    return wrong("this is not a list of variants");
  std::vector<NamedConfiguration> found;
  std::set<std::string> names;
  for (const Json& row : json["variants"]) {
    ANEMONE_ASSIGN(auto named, ReadRow(row, fmt::format("variant {}", found.size() + 1)).At(path));
    if (named.first.empty() || !names.insert(named.first).second)
      return wrong(fmt::format("the name '{}' is empty or appears twice", named.first));
    found.push_back(std::move(named));
  }
  if (found.empty()) return wrong("the list is empty");
  return found;
}

Result<std::vector<Job>> ReadJobs(const LabSubject& subject, const std::string& path) {
  ANEMONE_ASSIGN(auto configurations, ReadConfigurations(path));
  std::vector<Job> jobs;
  for (auto& [name, configuration] : configurations)
    jobs.push_back(MakeJob(subject, name, std::move(configuration)));
  return jobs;
}

Result<Job> ParseJob(const LabSubject& subject, const std::string& text) {
  const Json json = ParseJsonOrNull(text, kRules);
  if (json.is_null()) return Usage("a job is not JSON");
  ANEMONE_ASSIGN(auto named, ReadRow(json, "a job"));
  return MakeJob(subject, std::move(named.first), std::move(named.second));
}

}  // namespace anemone::lab
