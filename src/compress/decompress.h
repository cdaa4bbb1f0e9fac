// Decompression: every compressed constant (constexpr_*) becomes the dense constant that
// it represents. Thread rules: one thread per program. Errors: those of evaluating a
// constexpr operation.
#pragma once

#include "compress/report.h"
#include "passes/pass.h"

namespace anemone::compress {

// As a pass; returns whether there was something to decompress.
Result<bool> Decompress(ir::Function& function, passes::PassContext& context);
// Decompresses all functions; the report lists each constant under `compressed`, with its sizes
// before and after.
Result<Report> DecompressWeights(ir::Program& program);

}  // namespace anemone::compress
