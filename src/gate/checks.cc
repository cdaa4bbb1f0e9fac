#include "gate/checks.h"

#include <fmt/core.h>

#include <string_view>

namespace anemone::gate {

const std::vector<Check>& Checks() {
  static const std::vector<Check> checks = {
#define ANEMONE_GATE_CHECK(Name) Name##Check(),
#include "gate/checks.inc"
#undef ANEMONE_GATE_CHECK
  };
  return checks;
}

bool Needs(const Policy& policy, Need need) {
  return std::ranges::any_of(Checks(), [&](const Check& check) {
    return policy.checks.Has(check.key) && check.Needs(need);
  });
}

Policy WithoutRuns(Policy policy) {
  for (const Check& check : Checks()) {
    if (check.Needs(Need::kRuns)) policy.checks.Erase(check.key);
  }
  return policy;
}

std::vector<CheckResult> Decide(const Policy& policy, const Evidence& evidence) {
  std::vector<CheckResult> results;
  for (const Check& check : Checks()) {
    const CheckPolicy* limits = policy.checks.Find(check.key);
    if (limits == nullptr) continue;
    CheckResult result;
    result.name = check.key;
    result.title = check.title;
    result.required = limits->required;
    results.push_back(check.judge(*limits, policy, evidence, std::move(result)));
  }
  return results;
}

std::string ChecksTable() {
  std::string table = "| key | passes when | limits (default) |\n|---|---|---|\n";
  for (const Check& check : Checks()) {
    const std::unique_ptr<CheckPolicy> limits = check.defaults();
    const std::string text = DescribeLimits([&](LimitVisitor& visitor) { limits->Visit(visitor); });
    table += fmt::format("| `{}` | {} | {}|\n", check.key, check.passes_when,
                         text.empty() ? "" : text + " ");
  }
  return table;
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

}  // namespace anemone::gate
