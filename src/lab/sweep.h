// Sweep: a list of independent jobs, each one variant, run by a number of workers, with the results
// in a JobsDb. Jobs that the database has finished are not run again, so a killed sweep resumes
// where it was; results depend neither on the workers nor on which of them ran a job. Thread rules:
// RunSweep starts its own threads and returns when they have ended. Errors: the first that is not a
// verdict on a variant (a full disk, an interrupt); a failure that a configuration alone causes
// becomes its outcome.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "compress/configuration.h"
#include "lab/jobs_db.h"
#include "lab/variant.h"

namespace anemone::lab {

struct Job {
  std::string name;
  compress::Configuration configuration;
  std::string key;  // LabSubject::KeyOf
};

// The outcome of a job: a result, or why the variant is impossible.
struct Finished {
  Job job;
  std::optional<VariantResult> result;
  std::string error_code;
  std::string error;
};

struct SweepOptions {
  int jobs = 1;     // variants at once
  int threads = 0;  // shared by all variants; 0: one for each core
  std::function<bool()> cancelled = {};
  // Called after each job, from one thread at a time; `found`: the result was in the database.
  std::function<void(int64_t done, int64_t total, const Finished& finished, bool found)> progress =
      {};
};

// Makes the job of a configuration.
Job MakeJob(const LabSubject& subject, std::string name, compress::Configuration configuration);

// Runs one job, without a database: for a worker on another machine. Returns as errors only those
// that are not a verdict on the variant.
Result<JobOutcome> RunJob(const LabSubject& subject, const Job& job, const VariantOptions& options);
Status StoreOutcome(JobsDb& db, const std::string& key, const JobOutcome& outcome);
Result<Finished> ToFinished(const Job& job, const JobOutcome& outcome);

// Returns the outcomes in the order of `jobs`, whose names are entered as the subject's variants
// from `first_position` on.
Result<std::vector<Finished>> RunSweep(const LabSubject& subject, JobsDb& db,
                                       std::span<const Job> jobs, int64_t first_position,
                                       const SweepOptions& options);

// The variants that a lab tries by default: the uniform forms of the op set.
Result<std::vector<Job>> DefaultJobs(const LabSubject& subject);
// Reads {"variants": [{"name": ..., "configuration": {...}}]}, with configurations as `compress
// --config` takes them. kUsage with the place.
Result<std::vector<std::pair<std::string, compress::Configuration>>> ReadConfigurations(
    const std::string& path);
Result<std::vector<Job>> ReadJobs(const LabSubject& subject, const std::string& path);
// Parses one such object {"name": ..., "configuration": {...}}, the form in which a worker
// gets a job.
Result<Job> ParseJob(const LabSubject& subject, const std::string& text);

}  // namespace anemone::lab
