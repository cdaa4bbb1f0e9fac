// The description of a model (features, functions, metadata) to and from the wire format. Internal
// to src/format. Pure functions.
#pragma once

#include "base/status.h"
#include "ir/model.h"

namespace anemone::format {

namespace proto {
class ModelDescription;
}
struct ModelInterface;

// Fills metadata, functions, multi_function and default_function of `model`, whose program is
// already there.
Status DecodeDescription(const proto::ModelDescription& wire, ir::Model* model);
Status EncodeDescription(const ir::Model& model, proto::ModelDescription* wire);

// The one function that a description without a list of functions describes, and the metadata.
Status DecodeInterface(const proto::ModelDescription& wire, ModelInterface* interface);

// Checks that each described feature is an input, state or output of the function of that name, and
// that each input is described.
Status CheckDescription(const ir::Model& model);

}  // namespace anemone::format
