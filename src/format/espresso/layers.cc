#include "format/espresso/layers.h"

#include <algorithm>

namespace anemone::format::espresso {
namespace {

const LayerRow* FindRow(std::string_view type) {
  for (const auto rows : {WeightedLayers(), ElementwiseLayers(), ShapeLayers()}) {
    const auto found = std::ranges::find(rows, type, &LayerRow::type);
    if (found != rows.end()) return &*found;
  }
  return nullptr;
}

Status Convert(LayerReader& layer) {
  if (layer.tops().empty()) return InvalidInput("it has no output");
  for (const auto* blobs : {&layer.bottoms(), &layer.tops()}) {
    for (const std::string& blob : *blobs) ANEMONE_TRY(layer.Dims(blob).status());
  }
  const LayerRow* row = FindRow(layer.type());
  if (row == nullptr) return NotKnown("how its type computes is not known");
  ANEMONE_TRY(row->convert(layer));
  return layer.CheckAllTaken();
}

}  // namespace

Status ConvertLayer(const Json& json, const NetworkSoFar& so_far) {
  LayerReader layer(json, so_far);
  return Convert(layer).At(fmt::format("layer '{}' ({})", layer.name(), layer.type()));
}

}  // namespace anemone::format::espresso
