// The JSON of an exported program (torch._export.serde.schema, versions 5 to 8) as a Program without
// its tensors. Thread rules: pure functions. Errors: kInvalidInput with the path of what breaks the
// schema; kUnsupported for versions that are not read.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "torch/program.h"

namespace anemone::torch {

Result<Program> ParseProgram(std::string_view text);
// A TensorMeta of the schema.
Result<TensorMeta> ParseTensorMeta(const Json& json);

}  // namespace anemone::torch
