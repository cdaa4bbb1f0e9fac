// Shape arithmetic at import: nodes whose inputs are numbers and sizes known only at run time give
// sizes again, as expressions. Thread rules: as for NodeContext.
#pragma once

#include "onnx/node_context.h"

namespace anemone::onnx {

// Sets the outputs of `context`'s node where they follow from sizes that the importer knows; false
// when they do not, or not in a way that Symbols can write, so that the operator must run.
Result<bool> FoldSizes(NodeContext& context);

}  // namespace anemone::onnx
