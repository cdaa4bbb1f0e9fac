// Whether the system plans to use the unit, and which units were observed. A plan is not an
// observation: the two are counted separately, and a plan alone is always called one.
#include "gate/check_dispatch.h"

#include <fmt/core.h>

#include "gate/checks.h"

namespace anemone::gate {
namespace {

constexpr std::string_view kKey = "dispatch";
constexpr std::string_view kUnits[] = {"ane", "gpu"};

struct DispatchPolicy : LimitsOf<DispatchPolicy> {
  std::string unit = "ane";
  double min_share_pct = 0;  // more than this share of the operators, or of the calls

  void Visit(LimitVisitor& visitor) override {
    visitor.Choice("unit", unit, kUnits);
    visitor.Number("min_share_pct", min_share_pct, 0, 100);
  }
};

struct Share {
  int64_t on_unit = 0;
  int64_t unknown = 0;
  int64_t total = 0;

  void Add(ComputeUnit unit, ComputeUnit wanted) {
    ++total;
    // A call that runs on several units uses each.
    if (unit == wanted || unit == ComputeUnit::kMixed) ++on_unit;
    if (unit == ComputeUnit::kUnknown) ++unknown;
  }
  double low_pct() const { return Percent(on_unit); }
  double high_pct() const { return Percent(on_unit + unknown); }
  double Percent(int64_t count) const {
    return total == 0 ? 0 : 100 * static_cast<double>(count) / static_cast<double>(total);
  }
};

CheckResult JudgeDispatch(const DispatchPolicy& limits, const Policy& policy,
                          const Evidence& evidence, CheckResult result) {
  const bool ane = limits.unit == "ane";
  if (!ane) result.title = "Planned for the GPU";
  result.limit = fmt::format("more than {:g} %", limits.min_share_pct);
  const Sides sides = SidesOf(policy, evidence);
  if (sides.subject == nullptr) return NotMeasured(std::move(result), sides.absent);
  result.evidence.push_back(sides.subject->path);
  const runtime::RunRecord& record = sides.subject->record;
  const ComputeUnit wanted = ane ? ComputeUnit::kAne : ComputeUnit::kGpu;
  Share operators;
  if (record.header.planned_units) {
    for (const auto& [name, unit] : *record.header.planned_units) operators.Add(unit, wanted);
  }
  Share planned;
  Share observed;
  for (const runtime::RunCall& call : record.calls) {
    planned.Add(call.planned, wanted);
    observed.Add(call.observed, wanted);
  }
  if (observed.unknown < observed.total) {
    result.evidence.push_back(fmt::format("observed on {}: {} of {} calls ({} not observable)",
                                          limits.unit, observed.on_unit, observed.total,
                                          observed.unknown));
  } else {
    result.evidence.emplace_back(
        "observed: nothing; no public interface shows the unit at run time");
  }
  if (planned.total > planned.unknown) {
    result.evidence.push_back(fmt::format("ane_usage_count / infer_count = {} / {} (planned)",
                                          planned.on_unit, planned.total));
  }
  const bool has_operators = operators.total > 0;
  const Share& judged = has_operators ? operators : planned;
  if (judged.total == 0 || (!has_operators && judged.unknown == judged.total)) {
    return NotMeasured(std::move(result), "the record holds no plan");
  }
  result.value = fmt::format("{} of {} {} planned on {} ({:.1f} %{})", judged.on_unit, judged.total,
                             has_operators ? "operators" : "calls", limits.unit, judged.low_pct(),
                             judged.unknown > 0 ? fmt::format(", {} unknown", judged.unknown) : "");
  // Every call was observed on another unit: the plan was not kept.
  if (observed.total > 0 && observed.unknown == 0 && observed.on_unit == 0) {
    result.verdict = Verdict::kFail;
    result.evidence.emplace_back("every call was observed on another unit, whatever the plan says");
  } else if (judged.low_pct() > limits.min_share_pct) {
    result.verdict = Verdict::kPass;
  } else if (judged.high_pct() > limits.min_share_pct) {
    result.verdict = Verdict::kInconclusive;
    result.evidence.emplace_back(
        "Core ML says nothing about some operators, which is unknown, not the CPU; a package with "
        "a "
        "higher deployment target (iOS18) may tell");
  } else {
    result.verdict = Verdict::kFail;
  }
  if (result.verdict == Verdict::kFail) {
    result.failure = FailureClass::kDispatch;
    result.exit_code = ExitCode(ErrorCode::kUnitNotObtained);
  }
  return result;
}

}  // namespace

Check DispatchCheck() {
  return MakeCheck<DispatchPolicy, JudgeDispatch>(
      {.key = kKey,
       .title = "Planned for the Neural Engine",
       .needs = {Need::kRuns, Need::kPlacement},
       .passes_when = "the plan puts a larger share than the limit on the unit, and no observation "
                      "contradicts it"});
}

Status RequireUnit(const std::string& unit, Policy& policy) {
  if (unit.empty()) return {};
  if (unit == "none") {
    if (CheckPolicy* named = policy.checks.Find(kKey)) named->required = false;
    return {};
  }
  return SetCheck(policy, kKey, {{"required", true}, {"unit", unit}});
}

}  // namespace anemone::gate
