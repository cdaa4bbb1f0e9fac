// Einsum and Det.
#pragma once

#include "base/status.h"

namespace anemone::onnx {
class NodeContext;
}

namespace anemone::ops::linear {

// Any number of operands, '...', letters that occur twice in one operand (diagonals).
Status EmitEinsum(onnx::NodeContext& c);
// The determinants of matrices [..., n, n] with n up to 64.
Status EmitDet(onnx::NodeContext& c);

}  // namespace anemone::ops::linear
