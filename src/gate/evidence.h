// Evidence: everything that a gate examines for one model on one device. Most of it is records of
// measured runs; the rest comes from a live run or the files themselves. Checks read this and
// nothing else, so that a verdict from records equals the verdict of the machine that wrote them.
//
// Thread rules: values. Errors of reading: kInvalidInput with file:line for a file that is not a
// run record; a run record that breaks a rule after its header is evidence (of a failure), not
// an error.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "gate/policy.h"
#include "runtime/run_record.h"

namespace anemone::gate {

struct RecordFile {
  std::string path;  // "live" for a run of this process that was not written
  runtime::RunRecord record;
  std::string broken;  // the rule that it breaks, with its line; only the header can be used then
};
Result<RecordFile> ReadRecordFile(const std::string& path);

// The facts in the files beside a package.
struct FilesEvidence {
  std::string manifest_path;
  std::string problem;               // missing, malformed, another package's; empty: fine
  std::vector<std::string> unknown;  // keys of the policy that are null
  std::optional<bool> verified;      // whether the manifest says that every output passed
};

// A fault injected into a backend, and how the session handled it.
struct InjectedFault {
  std::string name;      // "runtime error in a call"
  std::string expected;  // "fallback_reason runtime_error, answer equal to the cpu's"
  std::string observed;  // the same, as it happened
  bool passed = false;
  bool reached = true;  // the session reached the fault
};

struct LogEvidence {
  std::string path;
  int64_t lines = 0;
  std::string problem;  // empty: every line is valid
};

// The process that ran the calls ended before they were done.
struct EarlyEnd {
  std::string how;                      // "was killed by signal 11 (Segmentation fault)"
  std::string stage;                    // "loading subject", "warming up subject", "measuring"
  bool timed_out = false;               // else it crashed
  std::vector<std::string> last_words;  // the last lines of its standard error
  bool while_loading() const { return stage.starts_with("loading"); }
  // "the process was killed by signal 11 (Segmentation fault) while measuring"
  std::string ToString() const { return "the process " + how + " while " + stage; }
};

// The device, as the records' headers describe it.
struct Device {
  runtime::RunMachine machine;
  std::string label() const;  // "Apple M1 Pro, macos 24B83"
};

struct Evidence {
  std::string model;  // a name for people
  std::string model_hash;
  std::string precision;   // "fp32", "fp16", "int8"; empty: unknown
  std::string model_path;  // empty: only records were given
  std::optional<Device> device;
  std::vector<RecordFile> records;
  // Why the subject was not measured here; empty: it was, or no attempt was made.
  std::string unavailable;
  // Loading the subject failed: the error, and its kind's name.
  std::string compile_error;
  std::optional<EarlyEnd> ended;
  // The model against its reference, both on Anemone's executor.
  std::vector<runtime::RunParity> parity;
  std::string parity_problem;  // why there is no parity
  std::optional<FilesEvidence> files;
  std::vector<InjectedFault> faults;
  std::vector<LogEvidence> logs;
  // The operators that drift, first to last, and those that keep the model off the unit: for the
  // diagnosis of a failure.
  std::vector<std::string> drifting_operators;
  std::vector<std::string> blocking_operators;
};

// The subject's and the baseline's records among the evidence; null when there is none.
struct Sides {
  const RecordFile* subject = nullptr;
  const RecordFile* baseline = nullptr;
  std::string absent;  // why there is no subject
};
Sides SidesOf(const Policy& policy, const Evidence& evidence);

// Evidence for each (model, device) in the records, in the order of their first record.
std::vector<Evidence> GroupRecords(std::vector<RecordFile> records);

}  // namespace anemone::gate
