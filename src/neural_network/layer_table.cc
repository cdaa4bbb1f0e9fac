#include "neural_network/layer_table.h"

#include <algorithm>
#include <unordered_map>

namespace anemone::neural_network {

namespace nn = format::proto::nn;

std::vector<const LayerRow*> AllLayers() {
  std::vector<const LayerRow*> rows;
  const auto add = [&](std::span<const LayerRow> family) {
    for (const LayerRow& row : family) rows.push_back(&row);
  };
#define ANEMONE_LAYER_FAMILY(Family) add(Family##Layers());
#include "neural_network/families.inc"
#undef ANEMONE_LAYER_FAMILY
  std::ranges::sort(rows, {}, &LayerRow::type);
  return rows;
}

const LayerRow* FindLayer(nn::NeuralNetworkLayer::LayerCase type) {
  static const auto table = [] {
    std::unordered_map<int, const LayerRow*> rows;
    for (const LayerRow* row : AllLayers()) rows.emplace(static_cast<int>(row->type), row);
    return rows;
  }();
  const auto found = table.find(static_cast<int>(type));
  return found == table.end() ? nullptr : found->second;
}

std::string LayersMarkdown() {
  const auto rows = AllLayers();
  const auto lifted = std::ranges::count_if(rows, [](const LayerRow* row) { return row->emit; });
  std::string text = fmt::format(
      "# Layers of neural networks\n\nWhat the layers of `neuralNetwork`, "
      "`neuralNetworkClassifier` "
      "and `neuralNetworkRegressor` models become: {} of {} types are lifted. Printed from the "
      "table in `src/neural_network/layers/`.\n\n| layer | lifted to | limits |\n|---|---|---|\n",
      lifted, rows.size());
  for (const LayerRow* row : rows) {
    text += fmt::format("| {} | {} | {} |\n", row->name,
                        row->emit == nullptr ? std::string_view("refused") : row->lifted_to,
                        row->limits);
  }
  return text;
}

}  // namespace anemone::neural_network
