// ONNX: ONNX Runtime's attention operators (com.microsoft), in terms of ONNX's Attention and
// RotaryEmbedding. Rows of the family's table (onnx.cc). Thread rules: pure functions.
#pragma once

#include "onnx/node_context.h"

namespace anemone::ops::linear {

Status EmitFusedMatMul(onnx::NodeContext& c);
Status EmitRuntimeAttention(onnx::NodeContext& c);
Status EmitMultiHeadAttention(onnx::NodeContext& c);
Status EmitGroupQueryAttention(onnx::NodeContext& c);
Status EmitRuntimeRotaryEmbedding(onnx::NodeContext& c);

}  // namespace anemone::ops::linear
