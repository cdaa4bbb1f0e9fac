// ONNX: operators on bits. Core ML has none, but integers of the program have 32 bits, of which
// arithmetic can take each. Rows of the family's table (onnx.cc). Thread rules: pure functions.
#pragma once

#include "onnx/node_context.h"

namespace anemone::ops::elementwise_binary {

Status EmitBitwiseAnd(onnx::NodeContext& c);
Status EmitBitwiseOr(onnx::NodeContext& c);
Status EmitBitwiseXor(onnx::NodeContext& c);
Status EmitBitwiseNot(onnx::NodeContext& c);
Status EmitBitShift(onnx::NodeContext& c);

}  // namespace anemone::ops::elementwise_binary
