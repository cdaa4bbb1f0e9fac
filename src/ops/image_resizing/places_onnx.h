// GridSample and RoiAlign: images read at places that are computed at run time.
#pragma once

#include "base/status.h"

namespace anemone::onnx {
class NodeContext;
}

namespace anemone::ops::image_resizing {

Status EmitGridSample(onnx::NodeContext& c);
Status EmitRoiAlign(onnx::NodeContext& c);

}  // namespace anemone::ops::image_resizing
