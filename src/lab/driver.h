// Drive: a lab at work on one subject. It sweeps the listed variants; with a budget it also
// measures what each weight costs in each form, searches the smallest mix within the budget, and
// chooses. What the database has is not done again.
//
// Thread rules: as RunSweep; `progress` is called from one thread at a time. Errors: those of
// RunSweep, MeasureSensitivity and Search; kUnsupported when the base itself cannot be measured and
// a budget asks for it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/status.h"
#include "lab/jobs_db.h"
#include "lab/report.h"
#include "lab/search.h"
#include "lab/sweep.h"

namespace anemone::lab {

struct DriveOptions {
  std::string config = {};            // a file of variants (ReadJobs); empty: DefaultJobs
  std::optional<Budget> budget = {};  // absent: nothing is searched
  int64_t sensitivity_samples = 8;
  int refinements = 12;
  int jobs = 1;     // variants at once
  int threads = 0;  // of the whole machine; 0: one for each core
  std::function<bool()> cancelled = {};
  std::function<void(const std::string& stage, int64_t done, int64_t total)> progress = {};
  // Runs the jobs of a sweep on other machines before this one collects them from the database;
  // not asked for a single job. Null: all are run here.
  std::function<Status(std::span<const Job> jobs, int64_t first_position)> elsewhere = {};
};

struct DriveCounts {
  int64_t found = 0;  // jobs that the database had
  int64_t evaluated = 0;
};

// Fills the report's budget, base, variants, sensitivity and chosen.
Result<DriveCounts> Drive(const LabSubject& subject, JobsDb& db, const DriveOptions& options,
                          LabReport* report);

}  // namespace anemone::lab
