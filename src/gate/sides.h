// The measured part of a live run: the subject beside the baseline, in this process. A crash of the
// backend takes the process along: sides_child.h does the same in a process of its own.
//
// Thread rules: one thread. Errors: nobody can run the model, or a file cannot be written; failures
// of the subject are evidence.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "gate/check_parity.h"
#include "gate/evidence.h"
#include "gate/live.h"
#include "gate/policy.h"
#include "lab/verify.h"

namespace anemone::gate {

// Adds to `evidence`, whose precision and parity are set: the records, or why there are none. With
// `unavailable` set the subject is left out.
Status RunSides(const Policy& policy, const LiveModel& model, const LiveOptions& options,
                Evidence& evidence);

// The policy's number of inputs for `function`, seeded.
Result<std::vector<lab::Inputs>> SyntheticSets(const ir::Function& function,
                                               const ParityPolicy& policy);
// The limits of a precision, float16's for one that has none.
lab::ParityLimits LimitsFor(const ParityPolicy& policy, const std::string& precision);
// A line of a record about one output.
runtime::RunParity ParityRow(const lab::OutputParity& output, const char* inputs,
                             const std::string& reference, const std::string& precision);

}  // namespace anemone::gate
