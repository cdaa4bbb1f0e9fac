// Checks on the outcome of the calls: loading, crashes, fallbacks, memory.
#include <fmt/core.h>

#include "gate/checks.h"
#include "lab/statistics.h"

namespace anemone::gate {
namespace {

struct InferencesPolicy : LimitsOf<InferencesPolicy> {
  int64_t min_count = 1000;
  int64_t max_crashes = 0;
  int64_t max_failures = 0;  // of any kind, crashes included

  void Visit(LimitVisitor& visitor) override {
    visitor.Count("min_count", min_count, 1, 1'000'000'000);
    visitor.Count("max_crashes", max_crashes, 0, 1'000'000'000);
    visitor.Count("max_failures", max_failures, 0, 1'000'000'000);
  }
};

struct MemoryPolicy : LimitsOf<MemoryPolicy> {
  double max_growth_bytes_per_call = 1024;
  int64_t min_calls = 200;  // fewer cannot show a slope

  void Visit(LimitVisitor& visitor) override {
    visitor.Number("max_growth_bytes_per_call", max_growth_bytes_per_call, 0, 1e15);
    visitor.Count("min_calls", min_calls, 1, 1'000'000'000);
  }
};

struct FallbacksPolicy : LimitsOf<FallbacksPolicy> {
  int64_t max_count = 0;

  void Visit(LimitVisitor& visitor) override {
    visitor.Count("max_count", max_count, 0, 1'000'000'000);
  }
};

using runtime::FailureKind;
using runtime::RunRecord;
using runtime::RunSummary;

RunSummary Tally(const RunRecord& record) {
  RunSummary tally;
  for (const runtime::RunCall& call : record.calls) {
    ++tally.calls;
    ++(call.ok ? tally.ok : tally.failed);
    if (call.failure) ++tally.failures[static_cast<size_t>(*call.failure)];
    if (call.fallback_reason != runtime::FallbackReason::kNone) {
      ++tally.fallbacks[static_cast<size_t>(call.fallback_reason)];
    }
  }
  return tally;
}

int64_t Of(const RunSummary& tally, FailureKind kind) {
  return tally.failures[static_cast<size_t>(kind)];
}

std::string FailuresText(const RunSummary& tally) {
  std::string text;
  for (size_t i = 0; i < tally.failures.size(); ++i) {
    if (tally.failures[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", tally.failures[i],
                        runtime::FailureKindName(static_cast<FailureKind>(i)));
  }
  return text.empty() ? "no failures" : text;
}

std::string FallbacksText(const RunSummary& tally, int64_t* total) {
  std::string text;
  *total = 0;
  for (size_t i = 1; i < tally.fallbacks.size(); ++i) {
    if (tally.fallbacks[i] == 0) continue;
    *total += tally.fallbacks[i];
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", tally.fallbacks[i],
                        runtime::FallbackReasonName(static_cast<runtime::FallbackReason>(i)));
  }
  return text.empty() ? "none" : text;
}

constexpr const char* kUnended = "the record has no summary: the process died, or was stopped";

// How the process ended before its calls were done, and its last output.
void TellEnd(const EarlyEnd& ended, CheckResult& result) {
  result.evidence.push_back(ended.ToString());
  for (const std::string& words : ended.last_words) {
    result.evidence.push_back("its last words: " + words);
  }
}

// For the lines that a dead process did not write: how it ended decides crash or timeout.
void FailEnded(const std::optional<EarlyEnd>& ended, CheckResult& result) {
  const bool timed_out = ended && ended->timed_out;
  result.verdict = Verdict::kFail;
  result.failure = FailureClass::kCrash;
  result.exit_code = ExitCode(timed_out ? ErrorCode::kTimeout : ErrorCode::kBackendCrashed);
  if (ended) {
    TellEnd(*ended, result);
  } else {
    result.evidence.emplace_back(kUnended);
  }
}

std::string InferencesText(int64_t calls, int64_t crashes, int64_t failures) {
  return fmt::format("{}, {}, {}", Counted(calls, "inference"), Counted(crashes, "crash"),
                     Counted(failures, "failure"));
}

// Judged on the subject's record; without one, the baseline's record can still fail it.
template <typename Judge>
CheckResult JudgeSides(const Policy& policy, const Evidence& evidence, CheckResult result,
                       Judge judge) {
  const Sides sides = SidesOf(policy, evidence);
  if (sides.subject != nullptr) {
    result.evidence.push_back(sides.subject->path);
    return judge(sides.subject->record, std::move(result));
  }
  if (sides.baseline == nullptr) return NotMeasured(std::move(result), sides.absent);
  CheckResult baseline = judge(sides.baseline->record, result);
  baseline.evidence.insert(baseline.evidence.begin(), sides.baseline->path);
  baseline.value = fmt::format("{}: {}", sides.baseline->record.header.backend, baseline.value);
  if (baseline.verdict == Verdict::kFail) return baseline;
  baseline.exit_code = 0;
  baseline.failure = FailureClass::kNone;
  return NotMeasured(std::move(baseline), sides.absent);
}

CheckResult JudgeCompile(const CheckPolicy&, const Policy& policy, const Evidence& evidence,
                         CheckResult result) {
  result.limit = "0 errors";
  if (!evidence.compile_error.empty()) {
    result.verdict = Verdict::kFail;
    result.failure = FailureClass::kDispatch;
    result.value = "error";
    result.evidence.push_back(evidence.compile_error);
    return result;
  }
  if (evidence.ended && evidence.ended->while_loading()) {
    result.value = evidence.ended->timed_out ? "hung" : "crashed";
    FailEnded(evidence.ended, result);
    return result;
  }
  const Sides sides = SidesOf(policy, evidence);
  if (sides.subject == nullptr) return NotMeasured(std::move(result), sides.absent);
  result.evidence.push_back(sides.subject->path);
  const RunRecord& record = sides.subject->record;
  if (!record.summary) {
    result.verdict = Verdict::kInconclusive;
    result.value = fmt::format("{} calls, no count of loads", record.calls.size());
    result.evidence.emplace_back(kUnended);
    return result;
  }
  const int64_t failed = record.summary->compile.failed + record.summary->load.failed;
  const int64_t loads = record.summary->load.succeeded;
  result.value = fmt::format("{}, {}", Counted(loads, "load"), Counted(failed, "error"));
  if (record.summary->load.p50_ns) {
    result.evidence.push_back(
        fmt::format("load {:.1f} ms", static_cast<double>(*record.summary->load.p50_ns) * 1e-6));
  }
  if (failed > 0) {
    result.verdict = Verdict::kFail;
    result.failure = FailureClass::kDispatch;
  } else if (loads == 0) {
    result.verdict = Verdict::kInconclusive;
    result.evidence.emplace_back("telemetry counted no load");
  } else {
    result.verdict = Verdict::kPass;
  }
  return result;
}

CheckResult JudgeInferences(const InferencesPolicy& limits, const Policy& policy,
                            const Evidence& evidence, CheckResult start) {
  start.limit = fmt::format("at least {} inferences, at most {} crashes and {} failures",
                            limits.min_count, limits.max_crashes, limits.max_failures);
  const std::optional<EarlyEnd>& ended = evidence.ended;
  if (ended && !ended->while_loading() && SidesOf(policy, evidence).subject == nullptr) {
    // It died before the first measured call.
    start.value = InferencesText(0, ended->timed_out ? 0 : 1, 0);
    FailEnded(ended, start);
    return start;
  }
  const auto judge = [&](const RunRecord& record, CheckResult result) {
    const RunSummary tally = Tally(record);
    // A process that is killed leaves no line about it, so a missing summary counts as a crash.
    const bool died = !record.summary.has_value();
    const int64_t crashes =
        Of(tally, FailureKind::kCrash) + (died && !(ended && ended->timed_out) ? 1 : 0);
    result.value = InferencesText(tally.calls, crashes, tally.failed);
    if (tally.failed > 0) result.evidence.push_back(FailuresText(tally));
    if (died) {
      FailEnded(ended, result);
    } else if (crashes > limits.max_crashes || tally.failed > limits.max_failures) {
      result.verdict = Verdict::kFail;
      result.failure = FailureClass::kCrash;
      if (crashes > limits.max_crashes) {
        result.exit_code = ExitCode(ErrorCode::kBackendCrashed);
      } else if (Of(tally, FailureKind::kTimeout) == tally.failed) {
        result.exit_code = ExitCode(ErrorCode::kTimeout);
      }
    } else {
      result.verdict = tally.calls < limits.min_count ? Verdict::kInconclusive : Verdict::kPass;
    }
    return result;
  };
  return JudgeSides(policy, evidence, std::move(start), judge);
}

CheckResult JudgeFallbacks(const FallbacksPolicy& limits, const Policy& policy,
                           const Evidence& evidence, CheckResult start) {
  start.limit = fmt::format("at most {} fallbacks", limits.max_count);
  return JudgeSides(
      policy, evidence, std::move(start), [&](const RunRecord& record, CheckResult result) {
        const RunSummary tally = Tally(record);
        int64_t total = 0;
        const std::string reasons = FallbacksText(tally, &total);
        result.value = Counted(total, "fallback") + " in " + Counted(tally.calls, "call");
        if (total > 0) result.evidence.push_back(reasons);
        if (total > limits.max_count) {
          result.verdict = Verdict::kFail;
          result.failure = FailureClass::kDispatch;
        } else if (!record.summary || tally.calls == 0) {
          result.verdict = Verdict::kInconclusive;
          result.evidence.emplace_back(record.summary ? "no call was made" : kUnended);
        } else {
          result.verdict = Verdict::kPass;
        }
        return result;
      });
}

CheckResult JudgeMemory(const MemoryPolicy& limits, const Policy& policy, const Evidence& evidence,
                        CheckResult start) {
  start.limit = fmt::format("at most {:g} bytes for each call", limits.max_growth_bytes_per_call);
  return JudgeSides(
      policy, evidence, std::move(start), [&](const RunRecord& record, CheckResult result) {
        if (record.memory.empty()) {
          return NotMeasured(std::move(result), "the record holds no memory samples");
        }
        std::vector<lab::Point> points;
        for (const runtime::RunMemory& sample : record.memory) {
          points.push_back(
              {static_cast<double>(sample.calls), static_cast<double>(sample.resident_bytes)});
        }
        const auto slope = lab::RobustSlope(points);
        const auto calls = static_cast<int64_t>(record.calls.size());
        if (!slope || calls < limits.min_calls) {
          result.verdict = Verdict::kInconclusive;
          result.value = Counted(static_cast<int64_t>(points.size()), "sample") + " over " +
                         Counted(calls, "call");
          result.evidence.push_back(
              fmt::format("a slope needs 8 samples and {} calls", limits.min_calls));
          return result;
        }
        // No negative zero.
        result.value = fmt::format("{:.0f} bytes for each call ({:.0f} to {:.0f})",
                                   slope->value + 0.0, slope->low + 0.0, slope->high + 0.0);
        result.evidence.push_back(
            fmt::format("{} samples over {} calls, {:.1f} MB at the end", points.size(), calls,
                        static_cast<double>(record.memory.back().resident_bytes) * 1e-6));
        if (slope->low > limits.max_growth_bytes_per_call) {
          result.verdict = Verdict::kFail;
          result.failure = FailureClass::kOther;
        } else if (slope->high <= limits.max_growth_bytes_per_call) {
          result.verdict = Verdict::kPass;
        } else {
          result.verdict = Verdict::kInconclusive;
        }
        return result;
      });
}

}  // namespace

Check CompileCheck() {
  return MakeCheck<CheckPolicy, JudgeCompile>(
      {.key = "compile",
       .title = "Compiles and loads without error",
       .needs = {Need::kRuns},
       .passes_when =
           "telemetry counted a load and no error; the process neither died nor hung while "
           "loading"});
}

Check InferencesCheck() {
  return MakeCheck<InferencesPolicy, JudgeInferences>(
      {.key = "inferences",
       .title = "Inferences without a crash",
       .needs = {Need::kRuns},
       .passes_when = "enough calls, no crash, no failure; a record without its summary counts as "
                      "one crash"});
}

Check FallbacksCheck() {
  return MakeCheck<FallbacksPolicy, JudgeFallbacks>(
      {.key = "fallbacks",
       .title = "Answered by the backend that was asked",
       .needs = {Need::kRuns},
       .passes_when = "the requested backend answered"});
}

Check MemoryCheck() {
  return MakeCheck<MemoryPolicy, JudgeMemory>(
      {.key = "memory",
       .title = "Memory stays flat",
       .needs = {Need::kRuns},
       .passes_when = "the slope of resident memory over calls is below the limit"});
}

}  // namespace anemone::gate
