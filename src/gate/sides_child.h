// The measured part of a live run in a child process. Apple's stack can kill or hang its process in
// any call (apple/coremltools#2758, #2660); here that becomes evidence: the record up to the last
// call that ended, how the process ended, and what it was doing.
//
// The child is this program's own executable, or a helper, started again with a hidden command. It
// reads a request (the parts of the policy that concern runs, the package, the inputs), measures,
// writes the records where the gate wants them, and reports each stage on its standard error; a
// child that stays silent for run.max_silence_s is killed.
//
// Thread rules: any number at once, each in its own folder. Errors: as RunSides, and kNotFound when
// the helper cannot be started.
#pragma once

#include <string>

#include "base/status.h"
#include "gate/evidence.h"
#include "gate/live.h"
#include "gate/policy.h"

namespace anemone::gate {

// The hidden command that makes the helper run RunSidesChild on the next argument.
inline constexpr const char* kRunSidesCommand = "internal-gate-run";

// As RunSides, by `options.helper`. The model must have a path.
Status RunSidesInChild(const Policy& policy, const LiveModel& model, const LiveOptions& options,
                       Evidence& evidence);

// The child's side: carries out the request. `subject_backend`, for tests, replaces the backend
// that the policy names. Returns the exit code of the process.
int RunSidesChild(const std::string& request_path, const exec::Backend* subject_backend = nullptr);

}  // namespace anemone::gate
