// The checks of a gate: each looks at the evidence under its part of the policy and says what it
// found. One function each; Decide runs those that the policy names, in a fixed order.
// Thread rules: pure functions.
#pragma once

#include <vector>

#include "gate/evidence.h"
#include "gate/policy.h"
#include "gate/verdict.h"

namespace anemone::gate {

// check_runs.cc
CheckResult CheckCompile(const Policy& policy, const Evidence& evidence);
CheckResult CheckInferences(const Policy& policy, const Evidence& evidence);
CheckResult CheckFallbacks(const Policy& policy, const Evidence& evidence);
CheckResult CheckMemory(const Policy& policy, const Evidence& evidence);
// check_dispatch.cc
CheckResult CheckDispatch(const Policy& policy, const Evidence& evidence);
// check_latency.cc
CheckResult CheckLatency(const Policy& policy, const Evidence& evidence);
// check_parity.cc
CheckResult CheckParity(const Policy& policy, const Evidence& evidence);
CheckResult CheckBackendParity(const Policy& policy, const Evidence& evidence);
// check_telemetry.cc
CheckResult CheckTelemetry(const Policy& policy, const Evidence& evidence);
CheckResult CheckLogs(const Policy& policy, const Evidence& evidence);
CheckResult CheckFallbackProof(const Policy& policy, const Evidence& evidence);
// check_files.cc
CheckResult CheckFiles(const Policy& policy, const Evidence& evidence);

std::vector<CheckResult> Decide(const Policy& policy, const Evidence& evidence);

// A result that has its names, and whether it is required.
CheckResult StartCheck(const char* name, const char* title, const CheckPolicy& policy);
// Says NOT MEASURED, and why.
CheckResult NotMeasured(CheckResult result, const std::string& why);

// "1 call", "2 calls".
std::string Counted(int64_t count, const char* one);

}  // namespace anemone::gate
