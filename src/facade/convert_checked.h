// ConvertChecked: Convert, and of a result in float16 the answer to whether it says what float32
// says. Random inputs (or the caller's) run through both; the few operators that would overflow or
// lose the result stay in float32, and what no list mends is not written.
//
// What was found and done stands in the report and, in one line each, in the model's notes. Thread
// rules: changes the model it is given; runs on all cores. Errors: those of Convert; kUnsupported
// when float16 gives NaN or infinity where float32 gives numbers, or one answer for all inputs.
#pragma once

#include "anemone/options.h"
#include "base/status.h"
#include "facade/convert.h"
#include "ir/model.h"

namespace anemone::facade {

Status ConvertChecked(ir::Model& model, const ConvertOptions& options,
                      ConvertReport* report = nullptr, const ConvertProgress& progress = {});

}  // namespace anemone::facade
