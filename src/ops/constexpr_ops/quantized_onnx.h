// ONNX: ONNX Runtime's operators on quantized tensors, in terms of DequantizeLinear, the operator on
// floats, and QuantizeLinear. Rows of the family's table (onnx.cc). Thread rules: pure functions.
#pragma once

#include "onnx/node_context.h"

namespace anemone::ops::constexpr_ops {

Status EmitQLinearPair(onnx::NodeContext& c);
Status EmitQLinearUnary(onnx::NodeContext& c);
Status EmitQLinearPool(onnx::NodeContext& c);
Status EmitQLinearConcat(onnx::NodeContext& c);
Status EmitQLinearWhere(onnx::NodeContext& c);

}  // namespace anemone::ops::constexpr_ops
