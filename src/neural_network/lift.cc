#include "neural_network/lift.h"

#include <unordered_set>

#include "format/description_codec.h"
#include "format/package.h"
#include "ir/verifier.h"
#include "neural_network/interface.h"

namespace anemone::neural_network {
namespace {

using format::proto::Model;

constexpr std::string_view kSequences = "neural_network.sequences";

template <typename Network>
NetworkView ViewOf(const Network& network) {
  return {.layers = &network.layers(),
          .preprocessing = &network.preprocessing(),
          .rank5_arrays = network.arrayinputshapemapping() == nn::RANK5_ARRAY_MAPPING,
          .rank5_images = network.imageinputshapemapping() == nn::RANK5_IMAGE_MAPPING};
}

// The network of a file, parsed. model.proto keeps it as bytes: the declarations of layers are large,
// and few sources read them.
struct Network {
  NetworkView view;  // of one of these
  nn::NeuralNetwork plain;
  nn::NeuralNetworkClassifier classifier;
  nn::NeuralNetworkRegressor regressor;
};

template <typename Message>
Result<NetworkView> Parse(const std::string& bytes, Message& message) {
  if (!message.ParseFromString(bytes)) {
    return InvalidInput("the network is malformed or nested too deeply");
  }
  return ViewOf(message);
}

Result<std::shared_ptr<const Network>> ParseNetwork(const Model& message) {
  auto network = std::make_shared<Network>();
  if (message.has_neuralnetworkclassifier()) {
    ANEMONE_ASSIGN(network->view, Parse(message.neuralnetworkclassifier(), network->classifier));
    network->view.classifier = &network->classifier;
  } else if (message.has_neuralnetworkregressor()) {
    ANEMONE_ASSIGN(network->view, Parse(message.neuralnetworkregressor(), network->regressor));
  } else {
    ANEMONE_ASSIGN(network->view, Parse(message.neuralnetwork(), network->plain));
  }
  return std::shared_ptr<const Network>(std::move(network));
}

// Values of nested bodies got their names without regard to those of other bodies. `outputs` keep
// theirs, which are in `names` already.
void MakeNamesUnique(ir::Block& block, const std::unordered_set<const ir::Value*>& outputs,
                     std::unordered_set<std::string>& names) {
  const auto claim = [&](ir::Value& value) {
    if (outputs.contains(&value)) return;
    const std::string base = value.name;
    for (int n = 0; !names.insert(value.name).second; ++n) {
      value.name = base + "_" + std::to_string(n);
    }
  };
  for (const auto& input : block.inputs()) claim(*input);
  for (const auto& operation : block.operations()) {
    for (const auto& body : operation->blocks()) MakeNamesUnique(*body, outputs, names);
    for (const auto& output : operation->outputs()) claim(*output);
  }
}

Result<std::unique_ptr<ir::Function>> Build(const format::ModelFile& file,
                                            const std::shared_ptr<const Network>& network,
                                            const ir::FunctionDescription& features,
                                            ShapeMode mode) {
  const NetworkView& view = network->view;
  auto function = std::make_unique<ir::Function>();
  function->name = "main";
  ir::Builder builder(*function);
  Scope scope;
  const auto& description = file.message().description();
  ANEMONE_TRY(AddInputs(description, view, features, mode, scope, builder));
  const NetworkTraits traits{.rank5 = view.rank5_arrays,
                             .weights = WeightSource(network),
                             .checks_shapes = file.compiled()};
  ANEMONE_TRY(LiftLayers(*view.layers, traits, scope, builder));
  ANEMONE_TRY(AddOutputs(view, features, scope, builder));
  std::unordered_set<std::string> names;
  for (const ir::Value* output : function->outputs()) names.insert(output->name);
  MakeNamesUnique(*function->block, {function->outputs().begin(), function->outputs().end()},
                  names);
  ANEMONE_TRY(ir::Verify(*function));
  return function;
}

Result<ir::Model> LiftFile(const format::ModelFile& file) {
  ANEMONE_ASSIGN(const auto network, ParseNetwork(file.message()));
  ir::Model model;
  model.program.functions.push_back(std::make_unique<ir::Function>());
  model.program.functions.front()->name = "main";
  ANEMONE_TRY(format::DecodeDescription(file.message().description(), &model).At("description"));
  if (model.multi_function) {
    return InvalidInput("a neural network has no functions").At("description");
  }
  ir::FunctionDescription& features = model.functions.front();
  const bool flexible = HasFlexibleInputs(features);
  auto function =
      Build(file, network, features, flexible ? ShapeMode::kFlexible : ShapeMode::kFixed);
  if (!function.ok() && flexible) {
    const std::string reason = function.error().ToString();
    function = Build(file, network, features, ShapeMode::kFixed);
    if (function.ok()) model.metadata.user_defined[std::string(kFixedShapesKey)] = reason;
  }
  if (!function.ok() && network->view.rank5_arrays) {
    // Some networks work on sequences only, of which a file declares one element.
    auto sequences = Build(file, network, features, ShapeMode::kSequences);
    if (sequences.ok()) {
      function = std::move(sequences);
      model.metadata.user_defined[std::string(kSequences)] =
          "arrays are [sequence, batch, channel, height, width]";
    }
  }
  if (!function.ok()) return std::move(function).error();
  model.spec_version = ir::SpecVersionOf((*function)->opset);
  ANEMONE_TRY(DescribeFeatures(**function, &features));
  model.program.functions.front() = std::move(*function);
  ANEMONE_TRY(format::CheckDescription(model).At("description"));
  return model;
}

}  // namespace

bool IsNeuralNetwork(const format::ModelFile& file) {
  const Model& message = file.message();
  return message.has_neuralnetwork() || message.has_neuralnetworkclassifier() ||
         message.has_neuralnetworkregressor();
}

Result<ir::Model> Lift(const format::ModelFile& file) { return LiftFile(file).At(file.name()); }

Result<ir::Model> ReadModel(const std::string& path, std::string* type) {
  const auto file = format::ModelFile::Open(path);
  const bool network = file.ok() && IsNeuralNetwork(*file);
  if (type != nullptr) *type = file.ok() ? file->type_name() : "mlProgram";
  if (network) return Lift(*file);
  // What has no model file may be a compiled model.
  return file.ok() ? format::DecodeProgramModel(*file) : format::ReadModel(path);
}

}  // namespace anemone::neural_network
