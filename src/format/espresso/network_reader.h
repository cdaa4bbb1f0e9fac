// A compiled neural network as the network that it was compiled from: the layers of network_files.h
// become the specification's (layers.h), so that all that reads networks reads it.
//
// What fused or vanished on the way stays so: the network has other layers than its source, and
// computes the same. It is read at its default shapes; that there were others is said in the
// metadata. Each value's shape is declared, and the lift checks it (ModelFile::compiled()).
//
// Pure functions. Errors: kInvalidInput for what breaks the form; kUnsupported, by layer and
// parameter, for what is not known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/espresso/network_files.h"
#include "format/proto/model.pb.h"

namespace anemone::format::espresso {

// Whether models of the type with this field number in Model are compiled so.
bool IsNetworkType(uint32_t type);

// Fills `model`, whose description and specification version are set, with the network; `labels` are
// a classifier's, as text.
Status FillNetwork(const NetworkFiles& files, uint32_t type, const std::vector<std::string>& labels,
                   proto::Model* model);

}  // namespace anemone::format::espresso
