// Kernels of crop_resize, affine and resample, which read single points of images. Thread rules:
// pure functions.
#pragma once

#include "exec/kernel.h"

namespace anemone::ops::image_resizing {

Status CropResize(exec::KernelContext& context);
Status Affine(exec::KernelContext& context);
Status Resample(exec::KernelContext& context);

}  // namespace anemone::ops::image_resizing
