// PyTorch's complex tensors, which are float tensors with a last dimension [real, imaginary] here, and the
// transforms that make them. Other operators refuse complex tensors.
#pragma once

#include "base/status.h"

namespace anemone::torch {
class Context;
}

namespace anemone::ops::tensor_ops {

Status EmitReal(torch::Context& c);
Status EmitImag(torch::Context& c);
Status EmitComplex(torch::Context& c);
// view_as_real and view_as_complex: the same tensor.
Status EmitSameParts(torch::Context& c);
Status EmitFft(torch::Context& c);
Status EmitFftN(torch::Context& c);
Status EmitStft(torch::Context& c);

}  // namespace anemone::ops::tensor_ops
