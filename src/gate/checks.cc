#include "gate/checks.h"

#include <fmt/core.h>

#include <string_view>

namespace anemone::gate {

CheckResult StartCheck(const char* name, const char* title, const CheckPolicy& policy) {
  CheckResult result;
  result.name = name;
  result.title = title;
  result.required = policy.required;
  return result;
}

CheckResult NotMeasured(CheckResult result, const std::string& why) {
  result.verdict = Verdict::kNotMeasured;
  result.evidence.insert(result.evidence.begin(), why);
  return result;
}

std::string Counted(int64_t count, const char* one) {
  const bool hiss = std::string_view(one).ends_with("sh");
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : hiss ? "es" : "s");
}

std::vector<CheckResult> Decide(const Policy& policy, const Evidence& evidence) {
  std::vector<CheckResult> results;
  const auto check = [&](bool named, CheckResult (*made)(const Policy&, const Evidence&)) {
    if (named) results.push_back(made(policy, evidence));
  };
  check(policy.files.has_value(), CheckFiles);
  check(policy.compile.has_value(), CheckCompile);
  check(policy.inferences.has_value(), CheckInferences);
  check(policy.dispatch.has_value(), CheckDispatch);
  check(policy.latency.has_value(), CheckLatency);
  check(policy.parity.has_value(), CheckParity);
  check(policy.backend_parity.has_value(), CheckBackendParity);
  check(policy.telemetry.has_value(), CheckTelemetry);
  check(policy.memory.has_value(), CheckMemory);
  check(policy.fallbacks.has_value(), CheckFallbacks);
  check(policy.fallback_proof.has_value(), CheckFallbackProof);
  check(policy.logs.has_value(), CheckLogs);
  return results;
}

}  // namespace anemone::gate
