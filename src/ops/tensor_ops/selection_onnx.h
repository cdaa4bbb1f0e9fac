// ONNX: operators that pick elements, whose number depends on the data: NonZero, NonMaxSuppression. What
// they give has an open dimension, from which later nodes compute their own at run time.
#pragma once

#include "onnx/converter.h"

namespace anemone::ops::tensor_ops {

Status EmitNonZero(onnx::NodeContext& c);
// Boxes are picked for each image and class by itself: MIL's operator takes each pair as an image of
// one class. Its parameters must be known.
Status EmitNonMaxSuppression(onnx::NodeContext& c);
// An operator of our own, which is torchvision's: boxes [n, 4] of two corners, scores [n], and the indices of
// those kept, by descending score.
Status EmitPickBoxes(onnx::NodeContext& c);

}  // namespace anemone::ops::tensor_ops
