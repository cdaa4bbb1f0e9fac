// The measured part of a live run: the subject beside the baseline, in this process. A crash of the
// backend ends the process: sides_child.h does the same in a child process.
//
// Thread rules: one thread. Errors: no backend can run the model, or a file cannot be written;
// failures of the subject are evidence.
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

// Adds the records to `evidence`, whose precision and parity are set, or the reason why there are
// none. With `unavailable` set the subject is left out.
Status RunSides(const Policy& policy, const LiveModel& model, const LiveOptions& options,
                Evidence& evidence);

// The policy's number of inputs for the model's `function`, seeded.
Result<std::vector<lab::Inputs>> SyntheticSets(const ir::Model& model, const ir::Function& function,
                                               const ParityPolicy& policy);
// The limits of a precision; float16's when it has none.
lab::ParityLimits LimitsFor(const ParityPolicy& policy, const std::string& precision);
// A line of a record about one output.
runtime::RunParity ParityRow(const lab::OutputParity& output, const char* inputs,
                             const std::string& reference, const std::string& precision);

}  // namespace anemone::gate
