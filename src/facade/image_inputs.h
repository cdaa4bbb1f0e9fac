// Image inputs: turns array inputs of a program into images, as coremltools' ImageType does, with
// the arithmetic between pixels and what the network was trained on as operators in front of it.
// Thread rules: changes the model it is given.
#pragma once

#include "anemone/options.h"
#include "base/status.h"
#include "ir/model.h"

namespace anemone::facade {

// Declares the inputs `options.image_input` images, and puts (pixel * scale - mean) / std in front
// of their uses. Of a network whose channels come last, the input turns to channels first. Does
// nothing when no input is named. kUsage for an input that does not exist or has no shape of an
// image, and for arithmetic that is not said in full: a mean or deviation without a scale.
Status DeclareImageInputs(ir::Model& model, const ConvertOptions& options);

}  // namespace anemone::facade
