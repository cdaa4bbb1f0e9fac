// The positions of what is not zero: the one operator by which a size depends on the data. Thread rules: one
// thread, as of the context.
#pragma once

#include "onnx/node_context.h"

namespace anemone::onnx {

// int32 [n, rank], where only the run time knows n: a size of its own, at most the number of elements of x, from
// which others can be computed.
ir::Value* PlacesOf(NodeContext& c, ir::Value* x);

}  // namespace anemone::onnx
