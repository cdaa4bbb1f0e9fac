// Whether the records can be trusted, and whether the fallback works at all.
#include <fmt/core.h>

#include <algorithm>

#include "gate/checks.h"

namespace anemone::gate {
namespace {

struct TelemetryPolicy : LimitsOf<TelemetryPolicy> {
  double max_gap_s = 60;  // between two calls of a record

  void Visit(LimitVisitor& visitor) override { visitor.Number("max_gap_s", max_gap_s, 0, 1e9); }
};

// The first thing that does not add up; empty when everything does. `ended` is false for a record
// without a summary to compare with.
std::string Contradiction(const RecordFile& file, double max_gap_s, bool* ended) {
  if (!file.broken.empty()) return file.broken;
  const runtime::RunRecord& record = file.record;
  int64_t end_ns = 0;
  for (const runtime::RunCall& call : record.calls) {
    if (record.header.clients == 1 && call.start_ns < end_ns) {
      return fmt::format("{}: call {} begins {} ns before the one before it ends", file.path,
                         call.index, end_ns - call.start_ns);
    }
    const double gap_s = static_cast<double>(call.start_ns - end_ns) * 1e-9;
    if (call.index > 0 && gap_s > max_gap_s) {
      return fmt::format("{}: {:.1f} s without a line before call {}", file.path, gap_s,
                         call.index);
    }
    end_ns = std::max(end_ns, call.start_ns + call.duration_ns);
  }
  if (!record.summary) {
    *ended = false;
    return {};
  }
  const runtime::RunSummary& summary = *record.summary;
  if (summary.events_dropped > 0) {
    return fmt::format("{}: {} events were dropped", file.path, summary.events_dropped);
  }
  // Telemetry counts attempts and the warm-up too, so its counts are at least those of the lines.
  const int64_t succeeded = summary.inference.succeeded + summary.first_inference.succeeded;
  const int64_t failed = summary.inference.failed + summary.first_inference.failed;
  if (succeeded + failed == 0) {
    *ended = false;
    return {};
  }
  if (succeeded < summary.ok) {
    return fmt::format("{}: telemetry counted {} successes, the lines {}", file.path, succeeded,
                       summary.ok);
  }
  if (failed + summary.load.failed + summary.compile.failed < summary.failed) {
    return fmt::format("{}: telemetry counted {} failures, the lines {}", file.path, failed,
                       summary.failed);
  }
  return {};
}

CheckResult JudgeTelemetry(const TelemetryPolicy& limits, const Policy& policy,
                           const Evidence& evidence, CheckResult result) {
  result.limit = fmt::format("no gap in the numbers, none above {:g} s in time, equal counts",
                             limits.max_gap_s);
  if (evidence.records.empty()) {
    const Sides sides = SidesOf(policy, evidence);
    return NotMeasured(std::move(result), sides.absent);
  }
  int64_t calls = 0;
  int64_t problems = 0;
  bool all_ended = true;
  for (const RecordFile& file : evidence.records) {
    bool ended = true;
    const std::string problem = Contradiction(file, limits.max_gap_s, &ended);
    calls += static_cast<int64_t>(file.record.calls.size());
    if (!problem.empty()) {
      ++problems;
      result.evidence.push_back(problem);
    } else if (!ended) {
      all_ended = false;
      result.evidence.push_back(file.path + ": no counts of telemetry to compare the lines with");
    } else {
      result.evidence.push_back(fmt::format("{} ({}, {} calls): agrees", file.path,
                                            file.record.header.backend, file.record.calls.size()));
    }
  }
  const auto records = static_cast<int64_t>(evidence.records.size());
  result.value = fmt::format("{}, {}, {}", Counted(records, "record"), Counted(calls, "call"),
                             Counted(problems, "contradiction"));
  if (problems > 0) {
    result.verdict = Verdict::kFail;
    result.failure = FailureClass::kOther;
  } else {
    result.verdict = all_ended ? Verdict::kPass : Verdict::kInconclusive;
  }
  return result;
}

CheckResult JudgeLogs(const CheckPolicy&, const Policy&, const Evidence& evidence,
                      CheckResult result) {
  result.limit = "every line valid JSON of its schema";
  if (evidence.logs.empty()) return NotMeasured(std::move(result), "no log was written");
  int64_t lines = 0;
  bool failed = false;
  for (const LogEvidence& log : evidence.logs) {
    lines += log.lines;
    failed |= !log.problem.empty();
    result.evidence.push_back(log.problem.empty()
                                  ? fmt::format("{}: {} lines, valid", log.path, log.lines)
                                  : log.problem);
  }
  result.value = fmt::format("{} files, {} lines", evidence.logs.size(), lines);
  result.verdict = failed ? Verdict::kFail : lines > 0 ? Verdict::kPass : Verdict::kInconclusive;
  if (failed) result.failure = FailureClass::kOther;
  return result;
}

CheckResult JudgeFallbackProof(const CheckPolicy&, const Policy&, const Evidence& evidence,
                               CheckResult result) {
  result.limit = "every injected fault is answered by the CPU";
  if (evidence.faults.empty()) {
    return NotMeasured(std::move(result), "no fault was injected: this needs the model itself");
  }
  int64_t passed = 0;
  int64_t unreached = 0;
  for (const InjectedFault& fault : evidence.faults) {
    passed += fault.passed ? 1 : 0;
    unreached += fault.reached ? 0 : 1;
    if (!fault.reached) {
      result.evidence.push_back(fmt::format(
          "injected {}: the session never came upon it, which proves nothing", fault.name));
      continue;
    }
    result.evidence.push_back(fault.passed
                                  ? fmt::format("injected {}: {}", fault.name, fault.observed)
                                  : fmt::format("injected {}: {}, expected {}", fault.name,
                                                fault.observed, fault.expected));
  }
  const auto total = static_cast<int64_t>(evidence.faults.size());
  result.value = fmt::format("{} of {} injected faults survived", passed, total);
  result.verdict = passed == total               ? Verdict::kPass
                   : passed + unreached == total ? Verdict::kInconclusive
                                                 : Verdict::kFail;
  if (result.verdict == Verdict::kFail) result.failure = FailureClass::kCrash;
  return result;
}

}  // namespace

Check TelemetryCheck() {
  return MakeCheck<TelemetryPolicy, JudgeTelemetry>(
      {.key = "telemetry",
       .title = "Telemetry is complete and adds up",
       .needs = {Need::kRuns},
       .passes_when = "indices and times have no gap, the counts of lines, summary and telemetry "
                      "agree"});
}

Check LogsCheck() {
  return MakeCheck<CheckPolicy, JudgeLogs>({.key = "logs",
                                            .title = "Logs are written and valid",
                                            .needs = {Need::kFaults},
                                            .passes_when = "every written line is valid"});
}

Check FallbackProofCheck() {
  return MakeCheck<CheckPolicy, JudgeFallbackProof>(
      {.key = "fallback_proof",
       .title = "Falls back when a backend fails",
       .needs = {Need::kFaults},
       .passes_when =
           "after each injected fault (load error, wrong answer, error, NaN, hang) the CPU "
           "answers with its own bits"});
}

}  // namespace anemone::gate
