// RunServe: a model behind HTTP, from its options to the end (the body of Serve in
// include/anemone/tools.h). Thread rules and errors: as the tools.
#pragma once

#include <functional>

#include "anemone/tools.h"
#include "base/status.h"

namespace anemone::serve {

// Serves until `hooks.cancelled` says so; requests that have arrived are answered then. `ready` is
// told once, when the address listens and the model has answered.
Result<ServeResult> RunServe(const ServeOptions& options, const Hooks& hooks,
                             const std::function<void(const ServeResult&)>& ready);

}  // namespace anemone::serve
