// pipeline, pipelineClassifier, pipelineRegressor: models one after the other. Each takes what the
// pipeline was given and what the models before it gave, by name.
#include <unordered_set>

#include "feature_models/model_types.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

struct Stage {
  std::string name;
  std::string type;
  std::unique_ptr<Predictor> predictor;
};

// An array between two models in the shape that the second one declares, when only the shape
// differs: networks give leading dimensions of 1 that others leave out.
FeatureValue Reshaped(const ir::Feature& feature, const FeatureValue& value) {
  const auto* tensor = std::get_if<exec::Tensor>(&value);
  const ir::ArrayFeature* array = feature.array();
  if (tensor == nullptr || array == nullptr || array->shape.empty() || !array->enumerated.empty() ||
      !array->shape_range.empty() || tensor->shape() == array->shape ||
      ir::ElementCount(array->shape) != tensor->count()) {
    return value;
  }
  auto reshaped = exec::Tensor::Copy({tensor->dtype(), array->shape, tensor->view().data});
  return reshaped.ok() ? FeatureValue(std::move(reshaped).value()) : value;
}

class Pipeline : public Predictor {
 public:
  Pipeline(format::ModelInterface interface, std::vector<Stage> stages)
      : Predictor(std::move(interface)), stages_(std::move(stages)) {}

  Json Parameters() const override {
    Json stages = Json::Array();
    for (const Stage& stage : stages_) {
      Json inputs = Json::Array();
      Json outputs = Json::Array();
      for (const auto& feature : stage.predictor->description().inputs)
        inputs.push_back(feature.name);
      for (const auto& feature : stage.predictor->description().outputs)
        outputs.push_back(feature.name);
      stages.push_back({{"name", stage.name},
                        {"type", stage.type},
                        {"inputs", std::move(inputs)},
                        {"outputs", std::move(outputs)},
                        {"parameters", stage.predictor->Parameters()}});
    }
    return {{"stages", std::move(stages)}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    FeatureValues known = inputs;
    for (const Stage& stage : stages_) {
      FeatureValues given;
      for (const ir::Feature& feature : stage.predictor->description().inputs) {
        const auto found = known.find(feature.name);
        if (found != known.end()) given.emplace(feature.name, Reshaped(feature, found->second));
      }
      ANEMONE_ASSIGN(FeatureValues outputs, stage.predictor->Predict(given).At(stage.name));
      for (auto& [name, value] : outputs) known.insert_or_assign(name, std::move(value));
    }
    FeatureValues outputs;
    for (const ir::Feature& feature : description().outputs) {
      const auto found = known.find(feature.name);
      if (found == known.end()) {
        return Usage("output '{}' comes from an input that is missing", feature.name);
      }
      const auto* tensor = std::get_if<exec::Tensor>(&found->second);
      if (tensor != nullptr && feature.array() != nullptr) {
        ANEMONE_ASSIGN(exec::Tensor typed, WithDType(*tensor, feature.array()->dtype));
        outputs.emplace(feature.name, std::move(typed));
      } else {
        outputs.emplace(feature.name, found->second);
      }
    }
    return outputs;
  }

 private:
  std::vector<Stage> stages_;
};

// Each input of each model, and each output of the pipeline, comes from somewhere.
Status CheckStageNames(const ir::FunctionDescription& description,
                       const std::vector<Stage>& stages) {
  std::unordered_set<std::string> known;
  for (const ir::Feature& feature : description.inputs) known.insert(feature.name);
  for (const Stage& stage : stages) {
    for (const ir::Feature& feature : stage.predictor->description().inputs) {
      if (!known.contains(feature.name) && !feature.optional) {
        return InvalidInput(
                   "its input '{}' is neither an input of the pipeline nor an output of a "
                   "model before it",
                   feature.name)
            .At(stage.name);
      }
    }
    for (const ir::Feature& feature : stage.predictor->description().outputs)
      known.insert(feature.name);
  }
  for (const ir::Feature& feature : description.outputs) {
    if (!known.contains(feature.name)) {
      return InvalidInput("no model of the pipeline gives its output '{}'", feature.name);
    }
  }
  return {};
}

const format::proto::Pipeline& WireOf(const format::proto::Model& message) {
  if (message.has_pipelineclassifier()) return message.pipelineclassifier().pipeline();
  if (message.has_pipelineregressor()) return message.pipelineregressor().pipeline();
  return message.pipeline();
}

}  // namespace

Result<std::unique_ptr<Predictor>> MakePipeline(const format::ModelFile& file,
                                                format::ModelInterface interface,
                                                const Context& context) {
  const auto& wire = WireOf(file.message());
  if (wire.models_size() == 0) return InvalidInput("the pipeline holds no models");
  Context inner = context;
  ++inner.depth;
  std::vector<Stage> stages;
  for (int i = 0; i < wire.models_size(); ++i) {
    Stage stage;
    stage.name = i < wire.names_size() && !wire.names(i).empty() ? ToUtf8(wire.names(i))
                                                                 : fmt::format("model{}", i);
    const format::ModelFile part = file.Part(wire.models(i), stage.name);
    stage.type = std::string(part.type_name());
    ANEMONE_ASSIGN(stage.predictor, MakePredictor(part, inner));
    stages.push_back(std::move(stage));
  }
  ANEMONE_TRY(CheckStageNames(interface.function, stages));
  return std::unique_ptr<Predictor>(
      std::make_unique<Pipeline>(std::move(interface), std::move(stages)));
}

}  // namespace anemone::feature_models
