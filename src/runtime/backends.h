// The list of backends: the only place that names them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "exec/backend.h"

namespace anemone::runtime {

// All backends, the preferred one first; "reference" last. Core ML is among them everywhere, and
// says why where it is not available.
std::span<const exec::Backend* const> Backends();
// "auto" is the first one that is available. kUsage lists the names; kUnavailable when it cannot
// run here.
Result<const exec::Backend*> FindBackend(std::string_view name);

}  // namespace anemone::runtime
