// Decompression: every compressed constant (constexpr_*) becomes the dense constant that it stands
// for. Thread rules: one thread to a program. Errors: whatever evaluating a constexpr operation
// reports.
#pragma once

#include "compress/report.h"
#include "passes/pass.h"

namespace anemone::compress {

// As a pass; true when there was something to decompress.
Result<bool> Decompress(ir::Function& function, passes::PassContext& context);
// All functions; the report lists each constant under `compressed`, with its sizes before and
// after.
Result<Report> DecompressWeights(ir::Program& program);

}  // namespace anemone::compress
