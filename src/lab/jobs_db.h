// JobsDb: the jobs of sweeps and their results, in one SQLite file that a person can query:
//
//   sqlite3 lab.sqlite "select name, package_bytes, top1, loss from summary order by loss"
//
// A job's key is the hash of its contents (model, configuration, samples), so any sweep finds work
// that another has finished. Each result is one transaction: a process killed at any moment leaves
// only whole results. WAL mode, so that readers never wait.
//
// Thread rules: any number of threads of one object (it locks), any number of processes of one
// file. Errors: kIo (a full disk included), kInvalidInput for a file that is not a lab database.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "lab/variant.h"

namespace anemone::lab {

struct JobOutcome {
  std::string result;  // JSON of a VariantResult; empty for a failure
  // A failure that would repeat each time (an op set that lacks the form).
  std::string error_code;
  std::string error;
  int64_t duration_ns = 0;
};

class JobsDb {
 public:
  // Opens the file; makes it when it is missing.
  static Result<JobsDb> Open(const std::string& path);
  JobsDb(JobsDb&&) noexcept;
  JobsDb& operator=(JobsDb&&) noexcept;
  ~JobsDb();

  // The subject of sweeps; adding it again does nothing.
  Status AddSubject(const std::string& sha256, const std::string& model,
                    const std::string& samples);
  // A named variant of a subject, in the order of `position`; a missing job is made.
  Status AddVariant(const std::string& subject, const std::string& name, int64_t position,
                    const std::string& key, const std::string& configuration);
  // Nullopt while the job is not finished.
  Result<std::optional<JobOutcome>> Find(const std::string& key);
  // `result` is what `outcome` holds as JSON: the table repeats its figures as columns, so that
  // queries need no JSON.
  Status Store(const std::string& key, const VariantResult& result, const JobOutcome& outcome);
  Status StoreFailure(const std::string& key, const JobOutcome& outcome);

  // Documents by a key that the caller chooses: sensitivities of operators, steps of a search.
  Result<std::optional<std::string>> FindNote(const std::string& subject, const std::string& key);
  Status StoreNote(const std::string& subject, const std::string& key, const std::string& document);
  // Rows of the table of sensitivities, for queries.
  Status StoreSensitivity(const std::string& subject, const std::string& weight,
                          const std::string& form, int64_t bytes, double loss, double snr_db);

  // Copies the log into the file, so that the file can be moved alone.
  Status Checkpoint();

 private:
  struct State;
  explicit JobsDb(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace anemone::lab
