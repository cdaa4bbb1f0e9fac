// ONNX: products of quantized matrices, those of ONNX Runtime included. Rows of the family's table
// (onnx.cc). Thread rules: pure functions.
#pragma once

#include "onnx/node_context.h"

namespace anemone::ops::linear {

Status EmitMatMulInteger(onnx::NodeContext& c);
Status EmitQLinearMatMul(onnx::NodeContext& c);
Status EmitQGemm(onnx::NodeContext& c);
Status EmitMatMulIntegerToFloat(onnx::NodeContext& c);
Status EmitDynamicQuantizeMatMul(onnx::NodeContext& c);
Status EmitMatMulNBits(onnx::NodeContext& c);

}  // namespace anemone::ops::linear
