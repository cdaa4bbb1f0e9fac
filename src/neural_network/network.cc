#include "neural_network/network.h"

#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

constexpr int kMaxDepth = 16;                     // of networks in branches and loops
constexpr int64_t kMaxLifted = int64_t{1} << 20;  // layers, bodies counted as often as tried

Status CheckShapes(const nn::NeuralNetworkLayer& layer, const std::vector<Blob>& outputs) {
  for (int i = 0; i < layer.outputtensor_size(); ++i) {
    const auto& declared = layer.outputtensor(i).dimvalue();
    const Blob& blob = outputs[static_cast<size_t>(i)];
    if (declared.empty() || blob.dims == ir::Shape(declared.begin(), declared.end())) continue;
    return Unsupported("it gives {}, but the compiled network declares {} for '{}'",
                       ir::ShapeToString(blob.dims),
                       ir::ShapeToString({declared.begin(), declared.end()}), layer.output(i))
        .Advise("bring the .mlmodel that the folder was compiled from");
  }
  return {};
}

Status LiftLayer(const nn::NeuralNetworkLayer& layer, const NetworkTraits& traits, Scope& scope,
                 ir::Builder& builder) {
  const LayerRow* row = FindLayer(layer.layer_case());
  if (row == nullptr) {
    return Unsupported("its type is newer than specification version 9, or missing")
        .Advise("convert the original model again, with a deployment target of iOS15 or later");
  }
  if (row->emit == nullptr) {
    return Unsupported("{}", row->limits)
        .Advise("convert the original model again, with a deployment target of iOS15 or later");
  }
  std::vector<Blob> inputs;
  for (const std::string& name : layer.input()) {
    const Blob* blob = scope.Find(name);
    if (blob == nullptr) {
      return InvalidInput("its input '{}' is neither an input of the model nor made before it",
                          name);
    }
    inputs.push_back(*blob);
  }
  LayerContext context(layer, traits, scope, builder, std::move(inputs));
  ANEMONE_TRY(row->emit(context));
  ANEMONE_TRY(context.status());
  if (traits.checks_shapes) ANEMONE_TRY(CheckShapes(layer, context.outputs()));
  for (int i = 0; i < layer.output_size(); ++i) {
    Blob& blob = context.outputs()[static_cast<size_t>(i)];
    if (blob.value != nullptr) scope.Write(layer.output(i), std::move(blob));
  }
  return {};
}

std::string PlaceOf(const nn::NeuralNetworkLayer& layer, int index) {
  const LayerRow* row = FindLayer(layer.layer_case());
  return fmt::format("layer {} '{}' ({})", index, layer.name(),
                     row == nullptr ? std::string_view("of unknown type") : row->name);
}

}  // namespace

const Blob* Scope::Find(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->outer_) {
    const auto found = scope->own_.find(name);
    if (found != scope->own_.end()) return &found->second;
  }
  return nullptr;
}

Status LiftLayers(const Layers& layers, const NetworkTraits& traits, Scope& scope,
                  ir::Builder& builder) {
  if (scope.depth() > kMaxDepth) {
    return InvalidInput("networks nest deeper than {}", kMaxDepth);
  }
  for (int i = 0; i < layers.size(); ++i) {
    if (++*traits.lifted > kMaxLifted) {
      return InvalidInput("more than {} layers to lift", kMaxLifted);
    }
    Status status = LiftLayer(layers[i], traits, scope, builder);
    if (!status.ok()) return std::move(status).At(PlaceOf(layers[i], i));
  }
  return {};
}

}  // namespace anemone::neural_network
