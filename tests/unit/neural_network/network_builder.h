// NetworkBuilder: a small neural network as Core ML writes it, for tests: features, layers, and the
// lifted model's results on the reference interpreter.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "exec/interpreter.h"
#include "format/proto/model.pb.h"
#include "format/proto/neural_network.pb.h"
#include "neural_network/lift.h"

namespace anemone::neural_network {

namespace nn = format::proto::nn;

struct Array {
  ir::Shape shape;
  std::vector<float> values;
};

// The float32 outputs for the given inputs; empty, with a failure of the test, when something fails.
inline std::map<std::string, Array> RunModel(const ir::Model& model,
                                             const std::map<std::string, Array>& inputs) {
  std::map<std::string, Array> results;
  const ir::Function& function = *model.program.main();
  std::map<std::string, exec::Tensor> tensors;
  for (const auto& [name, array] : inputs) {
    auto tensor = exec::Tensor::Copy({DType::kFp32, array.shape, array.values.data()});
    EXPECT_TRUE(tensor.ok());
    tensors[name] = *tensor;
  }
  const auto outputs = exec::Interpret(function, tensors);
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  if (!outputs.ok()) return results;
  for (size_t i = 0; i < outputs->size(); ++i) {
    const exec::Tensor& tensor = (*outputs)[i];
    const auto* data = tensor.As<float>();
    results[function.outputs()[i]->name] = {tensor.shape(), {data, data + tensor.count()}};
  }
  return results;
}

class NetworkBuilder {
 public:
  // `exact`: blobs have the shapes of the features, not five dimensions.
  explicit NetworkBuilder(bool exact = false) {
    model_.set_specificationversion(exact ? 4 : 1);
    if (!exact) return;
    network()->set_arrayinputshapemapping(nn::EXACT_ARRAY_MAPPING);
    network()->set_imageinputshapemapping(nn::RANK4_IMAGE_MAPPING);
  }

  format::proto::Model& model() { return model_; }
  nn::NeuralNetwork* network() { return &network_; }
  // Makes the model a classifier of the layers so far.
  void Classify(nn::NeuralNetworkClassifier classifier) {
    *classifier.mutable_layers() = network_.layers();
    model_.set_neuralnetworkclassifier(classifier.SerializeAsString());
  }
  // The bytes of the model file.
  std::string Serialize() const {
    format::proto::Model model = model_;
    if (!model.has_neuralnetworkclassifier()) {
      model.set_neuralnetwork(network_.SerializeAsString());
    }
    return model.SerializeAsString();
  }

  NetworkBuilder& Input(const std::string& name, const ir::Shape& shape) {
    AddArray(model_.mutable_description()->add_input(), name, shape);
    return *this;
  }
  NetworkBuilder& Output(const std::string& name, const ir::Shape& shape = {}) {
    AddArray(model_.mutable_description()->add_output(), name, shape);
    return *this;
  }
  nn::NeuralNetworkLayer* Layer(const std::vector<std::string>& inputs,
                                const std::vector<std::string>& outputs) {
    auto* layer = network()->add_layers();
    layer->set_name("layer" + std::to_string(network()->layers_size()));
    for (const auto& input : inputs) layer->add_input(input);
    for (const auto& output : outputs) layer->add_output(output);
    return layer;
  }

  Result<ir::Model> Lift() const {
    const std::string bytes = Serialize();
    ANEMONE_ASSIGN(const auto file,
                   format::ModelFile::Parse(Bytes::Copy(bytes.data(), bytes.size()), "test", "."));
    return neural_network::Lift(file);
  }

  // The outputs for the given inputs; empty, with a failure of the test, when something fails.
  std::map<std::string, Array> Run(const std::map<std::string, Array>& inputs) const {
    const auto model = Lift();
    EXPECT_TRUE(model.ok()) << model.status().ToString();
    return model.ok() ? RunModel(*model, inputs) : std::map<std::string, Array>();
  }

 private:
  static void AddArray(format::proto::FeatureDescription* feature, const std::string& name,
                       const ir::Shape& shape) {
    constexpr int32_t kDouble = 65600;
    feature->set_name(name);
    auto* array = feature->mutable_type()->mutable_multiarraytype();
    array->set_datatype(kDouble);
    for (const int64_t size : shape) array->add_shape(size);
  }

  format::proto::Model model_;
  nn::NeuralNetwork network_;
};

inline void SetFloats(nn::WeightParams* weights, const std::vector<float>& values) {
  for (const float value : values) weights->add_floatvalue(value);
}

}  // namespace anemone::neural_network
