// Whether the outputs are close enough: the model's to its reference's (the cost of conversion and
// compression), and the backend's to the executor's (the cost of the hardware).
#include "gate/check_parity.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "gate/checks.h"

namespace anemone::gate {
namespace {

std::string DescribeParity(const runtime::RunParity& row) {
  const auto number = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.2e}", *value) : std::string("not finite");
  };
  std::string text =
      fmt::format("{} on {}: L-inf {}, RMSE {} ({})", row.output,
                  Counted(row.samples, (row.inputs + " input").c_str()), number(row.l_inf),
                  number(row.rmse), row.relative ? "of the reference's range" : "absolute");
  if (row.non_finite > 0) text += fmt::format(", {} values not finite", row.non_finite);
  return text;
}

bool Passes(const runtime::RunParity& row, const lab::ParityLimits& limits) {
  return row.non_finite == 0 && row.l_inf && row.rmse && *row.l_inf <= limits.linf &&
         *row.rmse <= limits.rmse;
}

CheckResult JudgeParity(const ParityPolicy& policy, const std::string& precision,
                        const std::vector<runtime::RunParity>& rows, CheckResult result) {
  const auto limits = policy.limits.find(precision);
  const bool known = limits != policy.limits.end();
  if (known) {
    result.limit = fmt::format("L-inf {:g}, RMSE {:g} ({})", limits->second.linf,
                               limits->second.rmse, precision);
  }
  bool failed = false;
  bool real = false;
  int64_t synthetic = 0;
  double worst_linf = 0;
  double worst_rmse = 0;
  for (const runtime::RunParity& row : rows) {
    std::string text = DescribeParity(row);
    if (known && !Passes(row, limits->second)) {
      failed = true;
      text += ": over the limit";
    }
    result.evidence.push_back(std::move(text));
    real |= row.inputs == "real";
    if (row.inputs == "synthetic") synthetic = std::max(synthetic, row.samples);
    worst_linf = std::max(worst_linf, row.l_inf.value_or(INFINITY));
    worst_rmse = std::max(worst_rmse, row.rmse.value_or(INFINITY));
  }
  result.value = fmt::format("L-inf {:.2e}, RMSE {:.2e}", worst_linf, worst_rmse);
  if (!known) {
    result.verdict = Verdict::kInconclusive;
    result.evidence.push_back(precision.empty()
                                  ? "the precision of the model is not known, so no limit applies"
                                  : fmt::format("the policy has no limit for '{}'", precision));
  } else if (failed) {
    result.verdict = Verdict::kFail;
    result.failure = FailureClass::kAccuracy;
  } else if (policy.real_inputs && !real) {
    result.verdict = Verdict::kInconclusive;
    result.evidence.emplace_back("the policy asks for real inputs too: --images or --inputs");
  } else if (!real && synthetic < policy.synthetic_samples) {
    result.verdict = Verdict::kInconclusive;
    result.evidence.push_back(fmt::format("the policy asks for {} synthetic inputs, {} were tried",
                                          policy.synthetic_samples, synthetic));
  } else {
    result.verdict = Verdict::kPass;
  }
  return result;
}

CheckResult JudgeModel(const ParityPolicy& limits, const Policy&, const Evidence& evidence,
                       CheckResult result) {
  if (evidence.parity.empty()) {
    return NotMeasured(std::move(result), evidence.parity_problem.empty()
                                              ? "nothing compares the model with its reference"
                                              : evidence.parity_problem);
  }
  const std::string& reference = evidence.parity.front().reference;
  result = JudgeParity(limits, evidence.precision, evidence.parity, std::move(result));
  result.evidence.insert(result.evidence.begin(),
                         "against " + reference + ", both on Anemone's executor");
  return result;
}

CheckResult JudgeBackend(const ParityPolicy& limits, const Policy& policy, const Evidence& evidence,
                         CheckResult result) {
  const Sides sides = SidesOf(policy, evidence);
  if (sides.subject == nullptr) return NotMeasured(std::move(result), sides.absent);
  std::vector<runtime::RunParity> rows;
  for (const runtime::RunParity& row : sides.subject->record.parity) {
    if (row.reference == "cpu") rows.push_back(row);
  }
  result.evidence.push_back(sides.subject->path);
  if (rows.empty()) {
    return NotMeasured(std::move(result), "the record does not compare the backend with the CPU");
  }
  return JudgeParity(limits, rows.front().precision, rows, std::move(result));
}

}  // namespace

LimitsByPrecision DefaultParityLimits() {
  return {{"fp32", lab::kFp32Limits}, {"fp16", lab::kFp16Limits}, {"int8", lab::kInt8Limits}};
}

void ParityPolicy::Visit(LimitVisitor& visitor) {
  visitor.ByPrecision("limits", limits);
  visitor.Count("synthetic_samples", synthetic_samples, 1, 10'000);
  visitor.Count("seed", seed, 0, INT64_MAX);
  visitor.Flag("real_inputs", real_inputs);
}

Check ParityCheck() {
  return MakeCheck<ParityPolicy, JudgeModel>(
      {.key = kParityKey,
       .title = "As accurate as the original",
       .needs = {Need::kReference},
       .passes_when = "the model agrees with its original, both on Anemone's executor"});
}

Check BackendParityCheck() {
  return MakeCheck<ParityPolicy, JudgeBackend>(
      {.key = kBackendParityKey,
       .title = "Computes what the executor computes",
       .needs = {Need::kRuns, Need::kExecutor},
       .passes_when = "the backend agrees with the executor on the same model"});
}

}  // namespace anemone::gate
