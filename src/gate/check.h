// A check of a gate is one row: its key in a policy, its limits, the evidence that it needs, how it
// judges, and a line for docs/gate.md. gate/checks.inc lists them; a check is a file that defines
// its row, and a line there.
//
//   struct MemoryPolicy : LimitsOf<MemoryPolicy> { double max_growth = 1; void Visit(...) ... };
//   CheckResult Judge(const MemoryPolicy& limits, const Policy& policy, const Evidence& evidence,
//                     CheckResult result);
//   Check MemoryCheck() {
//     return MakeCheck<MemoryPolicy, Judge>({.key = "memory", .title = "Memory stays flat",
//                                            .needs = {Need::kRuns}, .passes_when = "..."});
//   }
//
// Thread rules: pure functions.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "gate/evidence.h"
#include "gate/policy.h"
#include "gate/verdict.h"

namespace anemone::gate {

// What a check needs: work to do with a model, or facts about it. A live run does only what the
// checks of its policy need.
enum class Need {
  kRuns,       // measured calls of the subject, or records of them
  kBaseline,   // of the baseline too, which the policy must name
  kExecutor,   // the subject's outputs beside the executor's
  kReference,  // the model's outputs beside those of its original
  kPackage,    // the package's files and its manifest
  kFaults,     // faults injected into a backend, and the logs of that
  kPlacement,  // the reasons by the rules of placement why operators stay off the unit
};

struct Check {
  std::string_view key;    // in a policy: "latency"
  std::string_view title;  // in a report; Judge may choose another
  std::vector<Need> needs;
  std::string_view passes_when;  // for docs/gate.md
  // The policy of this check where a policy file sets no limits.
  std::unique_ptr<CheckPolicy> (*defaults)() = nullptr;
  // Judges the evidence by the limits. `result` has the check's names, and is NOT MEASURED.
  CheckResult (*judge)(const CheckPolicy& limits, const Policy& policy, const Evidence& evidence,
                       CheckResult result) = nullptr;

  bool Needs(Need need) const { return std::ranges::find(needs, need) != needs.end(); }
};

// `row` with its functions; the limits that kJudge takes are those of `Limits`.
template <typename Limits,
          CheckResult (*kJudge)(const Limits&, const Policy&, const Evidence&, CheckResult)>
Check MakeCheck(Check row) {
  row.defaults = [] { return std::unique_ptr<CheckPolicy>(std::make_unique<Limits>()); };
  row.judge = [](const CheckPolicy& limits, const Policy& policy, const Evidence& evidence,
                 CheckResult result) {
    return kJudge(static_cast<const Limits&>(limits), policy, evidence, std::move(result));
  };
  return row;
}

}  // namespace anemone::gate
