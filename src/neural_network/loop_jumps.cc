#include "neural_network/loop_jumps.h"

#include <algorithm>

namespace anemone::neural_network {
namespace {

// Deeper networks are refused when they are lifted.
constexpr int kDeepest = 64;

bool IsJump(const nn::NeuralNetworkLayer& layer) {
  return layer.has_loopbreak() || layer.has_loopcontinue();
}

bool HasJumpWithin(const Layers& layers, int depth) {
  if (depth > kDeepest) return false;
  return std::ranges::any_of(layers, [&](const nn::NeuralNetworkLayer& layer) {
    return IsJump(layer) ||
           (layer.has_branch() && (HasJumpWithin(layer.branch().ifbranch().layers(), depth + 1) ||
                                   HasJumpWithin(layer.branch().elsebranch().layers(), depth + 1)));
  });
}

void AddFlag(nn::NeuralNetwork* network, const std::string& flag, float value) {
  nn::NeuralNetworkLayer* layer = network->add_layers();
  layer->set_name(flag);
  layer->add_output(flag);
  layer->mutable_loadconstantnd()->add_shape(1);
  layer->mutable_loadconstantnd()->mutable_data()->add_floatvalue(value);
}

// Adds layers[first, ...) to `to`.
void AddWithoutJumps(const Layers& layers, int first, const JumpFlags& flags, int depth,
                     nn::NeuralNetwork* to) {
  for (int i = first; i < layers.size(); ++i) {
    const nn::NeuralNetworkLayer& layer = layers[i];
    if (IsJump(layer)) {
      if (layer.has_loopbreak()) AddFlag(to, flags.broken, 1);
      AddFlag(to, flags.skip, 1);
      return;  // what follows is never reached
    }
    nn::NeuralNetworkLayer* copy = to->add_layers();
    if (!layer.has_branch() || depth > kDeepest ||
        (!HasJump(layer.branch().ifbranch().layers()) &&
         !HasJump(layer.branch().elsebranch().layers()))) {
      *copy = layer;
      continue;
    }
    copy->set_name(layer.name());
    *copy->mutable_input() = layer.input();
    *copy->mutable_output() = layer.output();
    nn::BranchLayerParams* branch = copy->mutable_branch();
    AddWithoutJumps(layer.branch().ifbranch().layers(), 0, flags, depth + 1,
                    branch->mutable_ifbranch());
    AddWithoutJumps(layer.branch().elsebranch().layers(), 0, flags, depth + 1,
                    branch->mutable_elsebranch());
    if (i + 1 == layers.size()) return;
    nn::NeuralNetworkLayer* rest = to->add_layers();
    rest->set_name(layer.name() + "_unless_jumped");
    rest->add_input(flags.skip);
    rest->mutable_branch()->mutable_ifbranch();
    AddWithoutJumps(layers, i + 1, flags, depth + 1, rest->mutable_branch()->mutable_elsebranch());
    return;
  }
}

}  // namespace

bool HasJump(const Layers& layers) { return HasJumpWithin(layers, 0); }

nn::NeuralNetwork WithoutJumps(const nn::NeuralNetwork& body, const JumpFlags& flags) {
  nn::NeuralNetwork result;
  AddFlag(&result, flags.skip, 0);
  AddWithoutJumps(body.layers(), 0, flags, 0, &result);
  return result;
}

}  // namespace anemone::neural_network
