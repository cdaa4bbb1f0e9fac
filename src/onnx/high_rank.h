// Tensors of more dimensions than Core ML has: dimensions that an operator treats alike and that stand
// beside each other are one dimension to it. Thread rules: as for NodeContext.
#pragma once

#include "onnx/node_context.h"

namespace anemone::onnx {

// Converts `context`'s node with fewer dimensions where one of its tensors has more than five; false
// when none has, or the operator still needs more than five then.
Result<bool> LowerRank(NodeContext& context);

}  // namespace anemone::onnx
