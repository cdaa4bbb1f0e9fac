// Lifting the layers of a network in order, nested networks included.
//
// Scope: the blobs that a network sees by name: its own, then those of the network around it. A
// layer may write a name again; later layers see the new blob.
//
// Ownership: a Scope borrows the one around it. Thread rules: one thread.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "neural_network/layer_context.h"

namespace anemone::neural_network {

class Scope {
 public:
  explicit Scope(const Scope* outer = nullptr)
      : outer_(outer), depth_(outer == nullptr ? 0 : outer->depth_ + 1) {}

  // Null when no layer has written `name`.
  const Blob* Find(const std::string& name) const;
  void Write(const std::string& name, Blob blob) { own_[name] = std::move(blob); }
  // Written in this network itself.
  const std::map<std::string, Blob>& own() const { return own_; }
  int depth() const { return depth_; }

 private:
  const Scope* outer_;
  int depth_;
  std::map<std::string, Blob> own_;
};

using Layers = google::protobuf::RepeatedPtrField<nn::NeuralNetworkLayer>;

// Errors name the layer and its type.
Status LiftLayers(const Layers& layers, const NetworkTraits& traits, Scope& scope,
                  ir::Builder& builder);

}  // namespace anemone::neural_network
