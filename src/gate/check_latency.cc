// The percentile of the subject against the baseline's, judged by an interval: when it straddles
// the limit, the run does not decide.
#include <fmt/core.h>

#include "gate/checks.h"
#include "lab/latency.h"
#include "lab/measure.h"
#include "lab/statistics.h"

namespace anemone::gate {
namespace {

struct LatencyPolicy : LimitsOf<LatencyPolicy> {
  double percentile = 99;
  double max_ratio = 0.7;  // of the subject's percentile and the baseline's
  double confidence = 0.95;
  int64_t resamples = 2000;
  double conservative_speedup = 1.5;  // shown too; decides when `require_conservative`
  bool require_conservative = false;
  bool require_interleaved = true;

  void Visit(LimitVisitor& visitor) override {
    visitor.Number("percentile", percentile, 0.1, 99.99);
    visitor.Number("max_ratio", max_ratio, 1e-6, 1e6);
    visitor.Number("confidence", confidence, 0.5, 0.9999);
    visitor.Count("resamples", resamples, 100, 1'000'000);
    visitor.Number("conservative_speedup", conservative_speedup, 1e-6, 1e6);
    visitor.Flag("require_conservative", require_conservative);
    visitor.Flag("require_interleaved", require_interleaved);
  }
};

// "coreml: n 1000, p50 1.204 ms, p99 1.310 ms, p99 at most 1.350 ms (99 % confidence)".
std::string DescribeRun(const Policy& policy, const RecordFile& file, double percentile) {
  const std::vector<int64_t> durations = lab::DurationsNs(file.record);
  std::string text = fmt::format("{}: n {}", file.record.header.backend, durations.size());
  if (durations.empty()) return text;
  for (const double percent : policy.percentiles) {
    text += fmt::format(", p{:g} {:.3f} ms", percent,
                        static_cast<double>(lab::PercentileNs(durations, percent)) * 1e-6);
  }
  if (const auto bound = lab::EarlyStoppingBoundNs(durations, percentile)) {
    text += fmt::format(", p{:g} at most {:.3f} ms (99 % confidence)", percentile,
                        static_cast<double>(*bound) * 1e-6);
  }
  return text;
}

// Why the times of this record cannot be used; empty when they can.
std::string Disturbed(const RecordFile& file) {
  const runtime::RunMachine& machine = file.record.header.machine;
  if (machine.thermal_state == "serious" || machine.thermal_state == "critical") {
    return fmt::format("{}: the thermal state was {}", file.path, *machine.thermal_state);
  }
  if (machine.power_mode == "low_power") {
    return fmt::format("{}: the machine saved power", file.path);
  }
  return {};
}

CheckResult JudgeLatency(const LatencyPolicy& limits, const Policy& policy,
                         const Evidence& evidence, CheckResult result) {
  result.limit = fmt::format("p{:g} ratio at most {:g}", limits.percentile, limits.max_ratio);
  if (limits.require_conservative) {
    result.limit += fmt::format(", speed-up at least {:g}", limits.conservative_speedup);
  }
  const Sides sides = SidesOf(policy, evidence);
  if (sides.baseline != nullptr) {
    result.evidence.push_back(DescribeRun(policy, *sides.baseline, limits.percentile));
  }
  if (sides.subject == nullptr) return NotMeasured(std::move(result), sides.absent);
  result.evidence.insert(result.evidence.begin(),
                         DescribeRun(policy, *sides.subject, limits.percentile));
  if (sides.baseline == nullptr) {
    return NotMeasured(std::move(result),
                       fmt::format("no record of the baseline '{}'", policy.baseline_backend));
  }
  result.verdict = Verdict::kInconclusive;
  const auto subject = lab::BlocksOf(sides.subject->record, &sides.baseline->record);
  const auto baseline = lab::BlocksOf(sides.baseline->record, &sides.subject->record);
  const int64_t least = lab::EarlyStoppingMinimum(limits.percentile);
  for (const RecordFile* file : {sides.subject, sides.baseline}) {
    const auto n = static_cast<int64_t>(lab::DurationsNs(file->record).size());
    if (n < least) {
      result.value = fmt::format("{} samples of {}", n, file->record.header.backend);
      result.evidence.push_back(
          fmt::format("p{:g} needs at least {} samples", limits.percentile, least));
      return result;
    }
  }
  const bool interleaved = subject.size() >= 4 && baseline.size() >= 4;
  const auto ratio = lab::PercentileRatio(
      interleaved ? subject : lab::BlocksOf(sides.subject->record, nullptr),
      interleaved ? baseline : lab::BlocksOf(sides.baseline->record, nullptr), limits.percentile,
      {.resamples = static_cast<int>(limits.resamples), .confidence = limits.confidence});
  if (!ratio) {
    result.evidence.emplace_back("the times leave no ratio");
    return result;
  }
  const double speedup = ratio->high > 0 ? 1 / ratio->high : 0;
  const bool conservative = speedup >= limits.conservative_speedup;
  result.value =
      fmt::format("p{:g} ratio {:.3f} ({:.3f} to {:.3f}, {:g} % interval)", limits.percentile,
                  ratio->value, ratio->low, ratio->high, 100 * limits.confidence);
  result.evidence.push_back(
      fmt::format("speed-up {:.2f}, conservatively {:.2f}: {} {:g}", 1 / ratio->value, speedup,
                  conservative ? "at least" : "below", limits.conservative_speedup));
  if (interleaved) {
    result.evidence.push_back(
        fmt::format("{} blocks against {}, A B B A", subject.size(), baseline.size()));
  } else {
    result.evidence.emplace_back(
        "the two runs do not alternate, so that a drift looks like a ratio");
  }
  for (const RecordFile* file : {sides.subject, sides.baseline}) {
    const std::string disturbed = Disturbed(*file);
    if (disturbed.empty()) continue;
    result.evidence.push_back(disturbed);
    return result;
  }
  if (!interleaved && limits.require_interleaved) return result;
  const bool fails_conservative =
      limits.require_conservative && ratio->low > 1 / limits.conservative_speedup;
  if (ratio->low > limits.max_ratio || fails_conservative) {
    result.verdict = Verdict::kFail;
    result.failure = FailureClass::kLatency;
  } else if (ratio->high <= limits.max_ratio && (conservative || !limits.require_conservative)) {
    result.verdict = Verdict::kPass;
  } else {
    result.evidence.emplace_back("the interval straddles the limit: measure longer");
  }
  return result;
}

}  // namespace

Check LatencyCheck() {
  return MakeCheck<LatencyPolicy, JudgeLatency>(
      {.key = "latency",
       .title = "Faster than the CPU",
       .needs = {Need::kRuns, Need::kBaseline},
       .passes_when = "the interval of the ratio of percentiles is below the limit"});
}

}  // namespace anemone::gate
