#include "ops/ops.h"

namespace anemone::ops::control_flow {

// Empty: the executor runs bodies, lists and state itself (see def.cc).
std::span<const exec::KernelEntry> Kernels() { return {}; }

}  // namespace anemone::ops::control_flow
