// Both ends of a sweep on other machines: a worker that runs jobs as they come, and the driver that
// hands the jobs to Ray through python/anemone/ray_runner.py, which starts the workers.
//
// Thread rules: one thread each. Errors: those of RunJob that are not a verdict on a variant;
// kUnavailable without Ray or its cluster; kIo when the runner or a reader of outcomes is gone.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "lab/jobs_db.h"
#include "lab/sweep.h"

namespace anemone::lab {

// A worker: reads jobs from `jobs`, one JSON object on a line, and answers each with one on
// `outcomes`, until the input ends. So a worker whose master died ends too.
Status WorkOnJobs(const LabSubject& subject, int threads, std::istream& jobs,
                  std::ostream& outcomes);

struct RayOptions {
  std::string address;   // of a cluster, "auto" or "local"
  std::string database;  // the path of the sweep's
  std::string python;    // the interpreter; empty: ANEMONE_PYTHON, or python3
  // The command line of a worker. Its paths are those of this machine: the workers see them through
  // a shared file system.
  std::vector<std::string> worker;
  int threads = 0;  // of a worker
  std::function<bool()> cancelled = {};
  std::function<void(const std::string& stage, int64_t done, int64_t total)> progress = {};
};

// The driver: enters jobs (as RunSweep does), and lets the runner run all of the subject that are
// not finished.
Status RunOnRay(const LabSubject& subject, JobsDb& db, std::span<const Job> jobs,
                int64_t first_position, const RayOptions& options);

}  // namespace anemone::lab
