// PyTorch's operators that make tensors out of numbers and sizes.
#pragma once

#include "base/status.h"

namespace anemone::torch {
class Context;
}

namespace anemone::ops::tensor_ops {

Status EmitArange(torch::Context& c);
Status EmitLinspace(torch::Context& c);
Status EmitFull(torch::Context& c);
Status EmitFullLike(torch::Context& c);
Status EmitZeros(torch::Context& c);
Status EmitZerosLike(torch::Context& c);
Status EmitOnes(torch::Context& c);
Status EmitOnesLike(torch::Context& c);
// `self` filled with a value, or with the elements of another tensor.
Status EmitFill(torch::Context& c);
Status EmitCopy(torch::Context& c);
Status EmitScalarTensor(torch::Context& c);
Status EmitEye(torch::Context& c);
Status EmitHannWindow(torch::Context& c);
// Positions of the triangle of a matrix, [2, count].
Status EmitTrilIndices(torch::Context& c);
Status EmitTriuIndices(torch::Context& c);

}  // namespace anemone::ops::tensor_ops
