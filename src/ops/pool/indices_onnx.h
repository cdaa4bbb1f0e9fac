// MaxPool with its second output, which MIL's pooling does not have.
#pragma once

#include <vector>

#include "base/status.h"
#include "onnx/windows.h"

namespace anemone::ops::pool {

// The largest elements of the windows, and where each stands in the whole input [N, C, spatial ...],
// counted row by row (storage_order 1: the spatial dimensions column by column). The far ends of the
// windows include what ceil_mode adds.
Status EmitMaxPoolWithIndices(onnx::NodeContext& c, const onnx::Windows& windows);

}  // namespace anemone::ops::pool
