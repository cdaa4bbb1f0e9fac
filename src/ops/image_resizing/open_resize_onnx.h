// ONNX's Resize where sizes are known only at run time. Thread rules: as for NodeContext.
#pragma once

#include "onnx/node_context.h"
#include "ops/image_resizing/samples_onnx.h"

namespace anemone::ops::image_resizing {

// Whether one of the last two dimensions is open, or another one that is open may change.
bool ResizesOpenDimension(const onnx::NodeContext& c);

// The last two dimensions resized, by nearest or linear sampling. kUnsupported for what MIL cannot
// do without numbers.
Status EmitOpenResize(onnx::NodeContext& c, const Sampling& sampling);

}  // namespace anemone::ops::image_resizing
