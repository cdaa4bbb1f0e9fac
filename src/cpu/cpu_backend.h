// The CPU backend ("cpu"): plans a function for the given shapes (fusion, layouts, memory), and
// runs the plan with SIMD kernels on a thread pool. Operations without a fast kernel run through
// the reference kernels.
//
// A model that is loaded several times is planned and packed once, as long as one of its
// executables lives. Thread rules: as exec/backend.h says.
#pragma once

#include "exec/backend.h"

namespace anemone::cpu {

const exec::Backend& CpuBackend();

}  // namespace anemone::cpu
