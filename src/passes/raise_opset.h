// Raises a function to a newer op set without changing what it computes: from ios17 on gather and
// gather_along_axis no longer count negative indices from the end, so such indices are counted
// before. Thread rules: one thread per program. Errors: those of building an operation.
#pragma once

#include "base/status.h"
#include "ir/program.h"

namespace anemone::passes {

// Does nothing when the function has this op set or a newer one. The caller verifies.
Status RaiseOpset(ir::Function& function, ir::Opset opset);

}  // namespace anemone::passes
