// identity: each output is the input of its name, or else of its place.
#include "feature_models/model_types.h"

namespace anemone::feature_models {
namespace {

class Identity : public Predictor {
 public:
  explicit Identity(format::ModelInterface interface) : Predictor(std::move(interface)) {}

  Json Parameters() const override { return Json::Object(); }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    FeatureValues outputs;
    for (size_t i = 0; i < description().outputs.size(); ++i) {
      const ir::Feature& output = description().outputs[i];
      const ir::Feature* input = description().FindInput(output.name);
      const std::string& name = input != nullptr ? input->name : description().inputs[i].name;
      const auto given = inputs.find(name);
      if (given == inputs.end()) return Usage("input '{}' is missing", name);
      ANEMONE_ASSIGN(FeatureValue value,
                     Conform(output, given->second).At(fmt::format("output '{}'", output.name)));
      outputs.emplace(output.name, std::move(value));
    }
    return outputs;
  }
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeIdentity(const format::ModelFile&,
                                                format::ModelInterface interface, const Context&) {
  if (interface.function.inputs.size() != interface.function.outputs.size()) {
    return InvalidInput("an identity of {} inputs has {} outputs", interface.function.inputs.size(),
                        interface.function.outputs.size());
  }
  return std::unique_ptr<Predictor>(std::make_unique<Identity>(std::move(interface)));
}

}  // namespace anemone::feature_models
