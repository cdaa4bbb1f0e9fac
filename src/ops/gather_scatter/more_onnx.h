// ONNX: operators that pick elements and do something with them: losses, TensorScatter, Col2Im,
// MaxUnpool, ONNX Runtime's gather from a quantized table. Rows of the family's table (onnx.cc). Thread rules: pure functions.
#pragma once

#include "onnx/node_context.h"

namespace anemone::ops::gather_scatter {

Status EmitNegativeLogLikelihood(onnx::NodeContext& c);
Status EmitSoftmaxCrossEntropy(onnx::NodeContext& c);
Status EmitTensorScatter(onnx::NodeContext& c);
Status EmitCol2Im(onnx::NodeContext& c);
Status EmitMaxUnpool(onnx::NodeContext& c);
Status EmitCompress(onnx::NodeContext& c);
Status EmitGatherBlockQuantized(onnx::NodeContext& c);

}  // namespace anemone::ops::gather_scatter
