// ONNX's Expand and Tile. Thread rules: as for NodeContext.
#pragma once

#include "onnx/node_context.h"

namespace anemone::ops::tensor_ops {

Status EmitExpand(onnx::NodeContext& c);
Status EmitTile(onnx::NodeContext& c);

}  // namespace anemone::ops::tensor_ops
