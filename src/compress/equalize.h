// Cross-layer equalization (Nagel et al. 2019): when one convolution feeds another, alone and at
// most through relu or leaky_relu, channel i of the first may be divided by s and that of the
// second multiplied by it without changing the result. s is chosen to make the ranges of both
// equal: then one scale serves a whole tensor better. Thread rules: one thread per program.
#pragma once

#include "base/status.h"
#include "compress/report.h"
#include "ir/program.h"

namespace anemone::compress {

// Returns the number of pairs of layers that were equalized.
Result<int> EqualizeLayers(ir::Function& function);

}  // namespace anemone::compress
