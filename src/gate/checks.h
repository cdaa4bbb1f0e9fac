// All checks of a gate (gate/checks.inc), and what follows from their rows: what a policy needs,
// the verdicts on evidence, the table of docs/gate.md. Thread rules: pure functions.
#pragma once

#include <string>
#include <vector>

#include "gate/check.h"

namespace anemone::gate {

#define ANEMONE_GATE_CHECK(Name) Check Name##Check();
#include "gate/checks.inc"
#undef ANEMONE_GATE_CHECK

// In the order of reports.
const std::vector<Check>& Checks();

// Whether some check of the policy needs it.
bool Needs(const Policy& policy, Need need);
// The policy without the checks on measured calls: used when records cover those.
Policy WithoutRuns(Policy policy);

// Makes the checks that the policy names.
std::vector<CheckResult> Decide(const Policy& policy, const Evidence& evidence);

// The Markdown table of all checks: key, when it passes, limits with their defaults.
std::string ChecksTable();

// Says NOT MEASURED, and why.
CheckResult NotMeasured(CheckResult result, const std::string& why);

// "1 call", "2 calls".
std::string Counted(int64_t count, const char* one);

}  // namespace anemone::gate
