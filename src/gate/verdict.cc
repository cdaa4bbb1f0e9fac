#include "gate/verdict.h"

#include <algorithm>
#include <array>

namespace anemone::gate {

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "PASS";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kInconclusive:
      return "INCONCLUSIVE";
    case Verdict::kNotMeasured:
      return "NOT MEASURED";
  }
  return "NOT MEASURED";
}

std::string_view FailureClassName(FailureClass failure) {
  switch (failure) {
    case FailureClass::kNone:
      return "none";
    case FailureClass::kDispatch:
      return "dispatch";
    case FailureClass::kAccuracy:
      return "accuracy";
    case FailureClass::kCrash:
      return "crash";
    case FailureClass::kLatency:
      return "latency";
    case FailureClass::kOther:
      return "other";
  }
  return "other";
}

Verdict Overall(const std::vector<CheckResult>& checks) {
  const auto any = [&](Verdict verdict) {
    return std::any_of(checks.begin(), checks.end(), [&](const CheckResult& check) {
      return check.required && check.verdict == verdict;
    });
  };
  for (const Verdict verdict : {Verdict::kFail, Verdict::kInconclusive, Verdict::kNotMeasured}) {
    if (any(verdict)) return verdict;
  }
  return any(Verdict::kPass) ? Verdict::kPass : Verdict::kNotMeasured;
}

int ExitCodeOf(const std::vector<CheckResult>& checks) {
  switch (Overall(checks)) {
    case Verdict::kPass:
      return 0;
    case Verdict::kInconclusive:
      return 8;
    case Verdict::kNotMeasured:
      return 4;
    case Verdict::kFail:
      break;
  }
  int code = 0;
  for (const CheckResult& check : checks) {
    if (!check.required || check.verdict != Verdict::kFail) continue;
    if (check.exit_code == 0 || (code != 0 && code != check.exit_code)) return 1;
    code = check.exit_code;
  }
  return code;
}

int WorseExitCode(int a, int b) {
  static constexpr std::array kFromWorst{70, 3, 2, 5, 6, 7, 1, 8, 4, 0};
  for (const int code : kFromWorst) {
    if (a == code || b == code) return code;
  }
  return std::max(a, b);
}

}  // namespace anemone::gate
