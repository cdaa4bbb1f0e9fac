// The border of a lifted network: its features as inputs and outputs of a program, preprocessing of
// images, flexible sizes, class labels. Thread rules: pure functions.
#pragma once

#include "base/status.h"
#include "format/model_file.h"
#include "format/proto/model.pb.h"
#include "neural_network/network.h"

namespace anemone::neural_network {

// The parts that the three types of networks share.
struct NetworkView {
  const Layers* layers = nullptr;
  const google::protobuf::RepeatedPtrField<nn::NeuralNetworkPreprocessing>* preprocessing = nullptr;
  bool rank5_arrays = false;
  bool rank5_images = false;
  const nn::NeuralNetworkClassifier* classifier = nullptr;  // null: not a classifier
};

// How an input's sizes are taken.
enum class ShapeMode : uint8_t {
  kFlexible,   // a dimension that may vary is dynamic
  kFixed,      // the default size
  kSequences,  // the default size; arrays of the old mapping are sequences of any length
};

// Adds the inputs of `description` to the function of `builder` and to `scope`, preprocessed.
Status AddInputs(const format::proto::ModelDescription& description, const NetworkView& network,
                 const ir::FunctionDescription& features, ShapeMode mode, Scope& scope,
                 ir::Builder& builder);
// Makes the features of `features` outputs of the function, under their names.
Status AddOutputs(const NetworkView& network, const ir::FunctionDescription& features,
                  const Scope& scope, ir::Builder& builder);
// Makes `features` say what the function takes and gives: float32 for double, fixed shapes where
// nothing is dynamic.
Status DescribeFeatures(const ir::Function& function, ir::FunctionDescription* features);
// Whether some input may have more than one shape.
bool HasFlexibleInputs(const ir::FunctionDescription& features);

}  // namespace anemone::neural_network
