// ONNX: Unique. How many elements differ depends on the data: what it gives has an open dimension, as
// what NonZero gives.
#pragma once

#include "onnx/converter.h"

namespace anemone::ops::tensor_ops {

// Of a tensor whose size is known. Along an axis, slices are compared pair by pair, so there must be
// few of them. A NaN equals nothing, itself neither.
Status EmitUnique(onnx::NodeContext& c);

}  // namespace anemone::ops::tensor_ops
