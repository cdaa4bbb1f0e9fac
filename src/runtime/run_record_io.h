// Reads, checks and writes run records (run.jsonl, see run_record.h).
//
//   ANEMONE_ASSIGN(auto writer, RunRecordWriter::Create("run.jsonl", header));
//   ANEMONE_TRY(writer->Append(call));            // any thread
//   ANEMONE_TRY(writer->Finish(&telemetry.Snapshot()));
//
// A line is written whole by one write(2), so a process that is killed leaves at most one torn
// last line. The reader skips that one and rejects everything else that breaks a rule, with
// "file:line: rule".
//
// Ownership: the writer owns its file. Thread rules: a writer takes calls from any thread at once.
// Errors: kIo when writing; kInvalidInput when reading, kNotFound for an absent file.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "base/status.h"
#include "runtime/latency_histogram.h"
#include "runtime/run_record.h"
#include "runtime/telemetry.h"

namespace anemone::runtime {

class RunRecordWriter {
 public:
  // Replaces the file at `path`, and writes the header.
  static Result<std::unique_ptr<RunRecordWriter>> Create(const std::string& path,
                                                         const RunHeader& header);
  // `call.index` is set here, in the order of arrival.
  Status Append(RunCall call);
  // `memory.calls` is set here.
  Status AppendMemory(RunMemory memory);
  Status AppendParity(const RunParity& parity);
  // Writes the summary and closes; telemetry may be null. Nothing can be appended afterwards.
  Status Finish(const TelemetrySnapshot* telemetry, int64_t circuit_transitions = 0);

 private:
  explicit RunRecordWriter(OutputFile file) : file_(std::move(file)) {}

  std::mutex mutex_;
  OutputFile file_;
  bool finished_ = false;
  RunSummary tally_;
  LatencyHistogram latency_;
};

// The lines, without their ends.
std::string RunHeaderLine(const RunHeader& header);
std::string RunCallLine(const RunCall& call);
std::string RunMemoryLine(const RunMemory& memory);
std::string RunParityLine(const RunParity& parity);
std::string RunSummaryLine(const RunSummary& summary);

// The summary that Finish writes, for calls in memory.
RunSummary SummaryOf(const std::vector<RunCall>& calls, const TelemetrySnapshot* telemetry,
                     int64_t circuit_transitions = 0);

Result<RunRecord> ReadRunRecord(const std::string& path);
// The same from memory; `place` is the file's name in errors.
Result<RunRecord> ParseRunRecord(std::string_view text, const std::string& place);

// The machine as known without Apple's frameworks; the rest stays null.
RunMachine DescribeMachine();

}  // namespace anemone::runtime
