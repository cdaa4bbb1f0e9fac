// ONNX: Attention and what modern networks put around it, in terms of simpler operators. Rows of the
// family's table (onnx.cc). Thread rules: pure functions.
#pragma once

#include "onnx/node_context.h"

namespace anemone::ops::linear {

Status EmitAttention(onnx::NodeContext& c);
Status EmitFlexAttention(onnx::NodeContext& c);
Status EmitLinearAttention(onnx::NodeContext& c);
Status EmitRotaryEmbedding(onnx::NodeContext& c);

}  // namespace anemone::ops::linear
