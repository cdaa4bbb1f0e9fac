// Lift: a neural network of Core ML (neuralNetwork, neuralNetworkClassifier, neuralNetworkRegressor)
// as an ML Program, layer by layer. Preprocessing of images and the class labels become operators,
// so that the program takes and gives what the network did, under the same names.
//
//   ANEMONE_ASSIGN(const auto file, format::ModelFile::Open("MobileNet.mlmodel"));
//   if (neural_network::IsNeuralNetwork(file)) return neural_network::Lift(file);
//
// Blobs of the old mapping [sequence, batch, channel, height, width] keep that shape; an output has
// the shape that the model declares for it, else all five dimensions. Features are float32 or int32
// arrays (double becomes float32). Where a layer cannot be lifted for a range of input sizes, the
// declared default size is lifted, and metadata "neural_network.fixed_shapes" says which layer and
// why. A network of the old mapping that cannot run on one element takes sequences of any length,
// with all five dimensions; metadata "neural_network.sequences" says so.
//
// Ownership: the weights of the result are views into the file's message, which they keep alive.
// Thread rules: pure function. Errors: kInvalidInput for a network that breaks the format's rules,
// kUnsupported, with layer type and name, for what has no counterpart.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "format/model_file.h"
#include "ir/model.h"

namespace anemone::neural_network {

// The key of the metadata that says why the declared default size was lifted, not the range.
inline constexpr std::string_view kFixedShapesKey = "neural_network.fixed_shapes";

bool IsNeuralNetwork(const format::ModelFile& file);

Result<ir::Model> Lift(const format::ModelFile& file);

// Any model of Core ML: an ML Program as format::ReadModel reads it, a network lifted. `type`, if
// given, gets the specification's name of what the file holds: "mlProgram", "neuralNetwork" ...
Result<ir::Model> ReadModel(const std::string& path, std::string* type = nullptr);

}  // namespace anemone::neural_network
