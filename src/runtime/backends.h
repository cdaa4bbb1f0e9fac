// The list of backends: the only place that names them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "exec/backend.h"

namespace anemone::runtime {

// All backends, the preferred one first, "reference" last. Core ML is listed on every system; where
// it is not available, Available() returns why.
std::span<const exec::Backend* const> Backends();
// "auto" is the first available backend. kUsage lists the names; kUnavailable when the backend
// cannot run here.
Result<const exec::Backend*> FindBackend(std::string_view name);

}  // namespace anemone::runtime
