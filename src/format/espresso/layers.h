// The layers of compiled networks that are known, and the specification's layers that they become.
// What is known comes from public outputs of Apple's compiler for known sources and from public
// readers of the format that agree (docs/compiled-models.md); everything else is refused by name.
// Thread rules: immutable tables.
#pragma once

#include <span>
#include <string_view>

#include "base/status.h"
#include "format/espresso/layer_reader.h"

namespace anemone::format::espresso {

struct LayerRow {
  std::string_view type;  // the file's
  Status (*convert)(LayerReader& layer);
};

std::span<const LayerRow> WeightedLayers();     // layers_weighted.cc
std::span<const LayerRow> ElementwiseLayers();  // layers_elementwise.cc
std::span<const LayerRow> ShapeLayers();        // layers_shape.cc

// Appends what the layer `json` becomes to the network. Errors name the layer.
Status ConvertLayer(const Json& json, const NetworkSoFar& so_far);

}  // namespace anemone::format::espresso
