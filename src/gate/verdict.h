// The words of a verdict: what one check found, and what a gate says of one model.
// Thread rules: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace anemone::gate {

enum class Verdict : uint8_t {
  kPass,
  kFail,
  kInconclusive,  // measured, and the data do not decide
  kNotMeasured,   // nothing to judge: neither pass nor fail
};
// "PASS", "FAIL", "INCONCLUSIVE", "NOT MEASURED".
std::string_view VerdictName(Verdict verdict);

// What kind of failure, for who reads a red gate.
enum class FailureClass : uint8_t { kNone, kDispatch, kAccuracy, kCrash, kLatency, kOther };
// "none", "dispatch", "accuracy", "crash", "latency", "other".
std::string_view FailureClassName(FailureClass failure);

// What one check found. Texts are for people, one line each; numbers have their units in them.
struct CheckResult {
  std::string name;   // the policy's key: "dispatch"
  std::string title;  // "Planned for the Neural Engine"
  Verdict verdict = Verdict::kNotMeasured;
  bool required = true;
  std::string value;                  // "p99 ratio 0.52 (0.50 to 0.55)"; empty: none
  std::string limit;                  // "at most 0.7"
  std::vector<std::string> evidence;  // where it comes from, and what to know beside it
  FailureClass failure = FailureClass::kNone;
  // Of a failure: how the process ends instead of 1 when nothing else fails (5, 6, 7); 0: as 1.
  int exit_code = 0;
};

// FAIL where a required check fails, else INCONCLUSIVE, else NOT MEASURED, else PASS. Without any
// required check: NOT MEASURED.
Verdict Overall(const std::vector<CheckResult>& checks);
// The exit code of a verdict with its checks (docs/gate.md): 0, 1, 8, 4; 5, 6 or 7 when all that
// fails asks for it.
int ExitCodeOf(const std::vector<CheckResult>& checks);
// The worse of two exit codes, for several models: a failure beats inconclusive beats not measured.
int WorseExitCode(int a, int b);

}  // namespace anemone::gate
