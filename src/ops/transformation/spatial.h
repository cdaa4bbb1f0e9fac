// The operators of this family that trade space (height, width) for depth (channels) or for batch:
// depth_to_space, space_to_depth, pixel_shuffle, pixel_unshuffle, space_to_batch, batch_to_space.
// Thread rules: pure functions.
#pragma once

#include <span>
#include <vector>

#include "exec/kernel.h"
#include "ir/op_def.h"

namespace anemone::ops::transformation {

std::vector<ir::OpDef> SpatialDefs();
std::span<const exec::KernelEntry> SpatialKernels();

}  // namespace anemone::ops::transformation
