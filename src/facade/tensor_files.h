// Inputs and outputs of `run` and `compare` as files: .npy, and images for image-like inputs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::facade {

// "NAME=FILE" or, for a model with one input, "FILE"; or "FILE.npz" with an array for each input.
// Reads .npy, and .png/.jpg for an input [1, 3, H, W] or [1, 1, H, W]: the image is resized to H x
// W (bilinear). For an image feature pixel values stay 0 to 255; for a tensor input they are
// normalized with ImageNet's mean and deviation.
Result<std::map<std::string, exec::Tensor>> ReadInputs(const ir::Model& model,
                                                       const ir::Function& function,
                                                       const std::vector<std::string>& bindings);
// Writes NAME.npy for each, atomically.
Status WriteOutputs(const std::map<std::string, exec::Tensor>& outputs,
                    const std::string& directory);

}  // namespace anemone::facade
