// Inputs and outputs of `run` and `compare` as files: .npy, and images for image-like inputs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/npy.h"
#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"
#include "media/image.h"

namespace anemone::facade {

// "NAME=FILE" or, for a model with one input, "FILE"; or "FILE.npz" with an array for each input.
// Reads .npy, whose numbers may be of another dtype that the input's can hold exactly, and .png/.jpg.
//
// An image feature gets the pixels, 0 to 255, in its channels: RGB, BGR, or gray as Pillow's
// convert("L") makes it (also for half-precision gray). The file's own size is kept where the feature
// allows it; else the image is resized (bilinear) to the default size, or to the one in `chosen`. A
// tensor input [1, 3, H, W] is resized alike, and normalized with ImageNet's mean and deviation.
//
// `chosen`: shapes that the user named; a file that contradicts them is an error.
Result<std::map<std::string, exec::Tensor>> ReadInputs(
    const ir::Model& model, const ir::Function& function, const std::vector<std::string>& bindings,
    const std::map<std::string, ir::Shape>& chosen = {});
// The same of an array or image that is in memory already.
Result<exec::Tensor> ArrayInput(const NpyArray& array, const ir::Type& type);
Result<exec::Tensor> ImageInput(media::Image image, const ir::Model& model,
                                const ir::Function& function, const ir::Value& input,
                                const std::map<std::string, ir::Shape>& chosen = {});
// Writes NAME.npy for each, atomically; and NAME.png for an output that `description` calls an image
// of 8-bit pixels, rounded and clamped to 0 to 255.
Status WriteOutputs(const std::map<std::string, exec::Tensor>& outputs,
                    const ir::FunctionDescription* description, const std::string& directory);

}  // namespace anemone::facade
