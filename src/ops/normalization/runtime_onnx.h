// ONNX: ONNX Runtime's normalizations (com.microsoft), in terms of ONNX's. Rows of the family's table
// (onnx.cc). Thread rules: pure functions.
#pragma once

#include "onnx/node_context.h"

namespace anemone::ops::normalization {

Status EmitSkipLayerNorm(onnx::NodeContext& c);
Status EmitSkipRmsNorm(onnx::NodeContext& c);
Status EmitSimplifiedLayerNorm(onnx::NodeContext& c);
Status EmitEmbedLayerNorm(onnx::NodeContext& c);

}  // namespace anemone::ops::normalization
