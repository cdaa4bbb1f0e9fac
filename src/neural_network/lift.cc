#include "neural_network/lift.h"

#include <unordered_set>

#include "format/description_codec.h"
#include "ir/verifier.h"
#include "neural_network/interface.h"

namespace anemone::neural_network {
namespace {

using format::proto::Model;

constexpr std::string_view kFixedShapes = "neural_network.fixed_shapes";

template <typename Network>
NetworkView ViewOf(const Network& network) {
  return {.layers = &network.layers(),
          .preprocessing = &network.preprocessing(),
          .rank5_arrays = network.arrayinputshapemapping() == nn::RANK5_ARRAY_MAPPING,
          .rank5_images = network.imageinputshapemapping() == nn::RANK5_IMAGE_MAPPING};
}

NetworkView ViewOf(const Model& message) {
  if (message.has_neuralnetworkclassifier()) {
    NetworkView view = ViewOf(message.neuralnetworkclassifier());
    view.classifier = &message.neuralnetworkclassifier();
    return view;
  }
  if (message.has_neuralnetworkregressor()) return ViewOf(message.neuralnetworkregressor());
  return ViewOf(message.neuralnetwork());
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

Result<std::unique_ptr<ir::Function>> Build(const format::ModelFile& file, const NetworkView& view,
                                            const ir::FunctionDescription& features,
                                            bool flexible) {
  auto function = std::make_unique<ir::Function>();
  function->name = "main";
  ir::Builder builder(*function);
  Scope scope;
  const auto& description = file.message().description();
  ANEMONE_TRY(AddInputs(description, view, features, flexible, scope, builder));
  const NetworkTraits traits{
      .rank5 = view.rank5_arrays,
      .weights = WeightSource(std::make_shared<const format::ModelFile>(file))};
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
  const NetworkView view = ViewOf(file.message());
  ir::Model model;
  model.program.functions.push_back(std::make_unique<ir::Function>());
  model.program.functions.front()->name = "main";
  ANEMONE_TRY(format::DecodeDescription(file.message().description(), &model).At("description"));
  if (model.multi_function) {
    return InvalidInput("a neural network has no functions").At("description");
  }
  ir::FunctionDescription& features = model.functions.front();
  const bool flexible = HasFlexibleInputs(features);
  auto function = Build(file, view, features, flexible);
  if (!function.ok() && flexible) {
    const std::string reason = function.error().ToString();
    function = Build(file, view, features, false);
    if (function.ok()) model.metadata.user_defined[std::string(kFixedShapes)] = reason;
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

}  // namespace anemone::neural_network
