// The vocabulary of verdicts: the result of one check, and the gate's verdict on one model. Thread
// rules: values.
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
  kInconclusive,  // measured, but the data do not decide
  kNotMeasured,   // nothing to judge: neither pass nor fail
};
// "PASS", "FAIL", "INCONCLUSIVE", "NOT MEASURED".
std::string_view VerdictName(Verdict verdict);

// The kind of failure, for readers of a red gate.
enum class FailureClass : uint8_t { kNone, kDispatch, kAccuracy, kCrash, kLatency, kOther };
// "none", "dispatch", "accuracy", "crash", "latency", "other".
std::string_view FailureClassName(FailureClass failure);

// The result of one check. Texts are for people, one line each; numbers include their units.
struct CheckResult {
  std::string name;   // the policy's key: "dispatch"
  std::string title;  // "Planned for the Neural Engine"
  Verdict verdict = Verdict::kNotMeasured;
  bool required = true;
  std::string value;                  // "p99 ratio 0.52 (0.50 to 0.55)"; empty: none
  std::string limit;                  // "at most 0.7"
  std::vector<std::string> evidence;  // the source, and other facts to know
  FailureClass failure = FailureClass::kNone;
  // The exit code of a failure when nothing else fails (5, 6, 7); 0: the usual 1.
  int exit_code = 0;
};

// FAIL when a required check fails, else INCONCLUSIVE, else NOT MEASURED, else PASS. Without any
// required check: NOT MEASURED.
Verdict Overall(const std::vector<CheckResult>& checks);
// The exit code of a verdict with its checks (docs/gate.md): 0, 1, 8, 4; or 5, 6 or 7 when all
// failures ask for it.
int ExitCodeOf(const std::vector<CheckResult>& checks);
// The worse of two exit codes, for several models: a failure beats inconclusive beats not measured.
int WorseExitCode(int a, int b);

}  // namespace anemone::gate
