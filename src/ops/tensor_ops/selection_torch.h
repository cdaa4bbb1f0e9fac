// PyTorch: operators that pick elements, whose number depends on the data. The exporter calls that number
// u0; here it is a dimension that only the run time knows.
#pragma once

#include "base/status.h"

namespace anemone::torch {
class Context;
}

namespace anemone::ops::tensor_ops {

// nonzero and argwhere: a row of positions for each element that is not 0.
Status EmitPositions(torch::Context& c);
// nonzero_numpy and where of one argument: the same positions, a vector for each axis.
Status EmitPositionsByAxis(torch::Context& c);
Status EmitMaskedSelect(torch::Context& c);
// The first elements of `source`, in order, where the mask is true: no size depends on the data.
Status EmitMaskedScatter(torch::Context& c);
// torchvision.ops.nms.
Status EmitPickedBoxes(torch::Context& c);

}  // namespace anemone::ops::tensor_ops
