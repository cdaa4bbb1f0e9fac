// The layer types of the specification: what each is lifted to, and what is refused. One file of
// src/neural_network/layers/ for each family that families.inc lists. Thread rules: immutable
// tables.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/proto/neural_network.pb.h"

namespace anemone::neural_network {

class LayerContext;

struct LayerRow {
  format::proto::nn::NeuralNetworkLayer::LayerCase type;
  std::string_view name;  // the specification's
  // Null: refused, for the reason in `limits`.
  Status (*emit)(LayerContext& context);
  std::string_view lifted_to;    // operators of ML Programs
  std::string_view limits = {};  // what of it is refused; empty when nothing is
};

#define ANEMONE_LAYER_FAMILY(Family) std::span<const LayerRow> Family##Layers();
#include "neural_network/families.inc"
#undef ANEMONE_LAYER_FAMILY

// Null for a type that the table does not have.
const LayerRow* FindLayer(format::proto::nn::NeuralNetworkLayer::LayerCase type);
// Every row, by the number of its type.
std::vector<const LayerRow*> AllLayers();
// The table as a Markdown document: docs/neural-network-layers.md.
std::string LayersMarkdown();

}  // namespace anemone::neural_network
