// ONNX: windows and Fourier transforms. A transform of a known length is a product with a known
// matrix. Rows of the family's table (onnx.cc). Thread rules: pure functions.
#pragma once

#include "onnx/node_context.h"

namespace anemone::ops::tensor_ops {

Status EmitWindow(onnx::NodeContext& c);
Status EmitMelWeightMatrix(onnx::NodeContext& c);
Status EmitDft(onnx::NodeContext& c);
Status EmitStft(onnx::NodeContext& c);

}  // namespace anemone::ops::tensor_ops
