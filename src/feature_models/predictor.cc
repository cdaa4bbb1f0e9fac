#include "feature_models/predictor.h"

#include "feature_models/model_types.h"

namespace anemone::feature_models {

Result<FeatureValues> Predictor::Predict(const FeatureValues& inputs, exec::State* state) const {
  ANEMONE_ASSIGN(const FeatureValues conformed, ConformInputs(description(), inputs));
  return Run(conformed, state);
}

Result<std::unique_ptr<Predictor>> MakePredictor(const format::ModelFile& file,
                                                 const Context& context) {
  const ModelType* type = FindModelType(file.type_name());
  if (type == nullptr) {
    return Unsupported("the model is of type {}, which is not known here", file.type_name())
        .At(file.name());
  }
  if (context.depth > kMaxDepth) {
    return InvalidInput("models hold models more than {} deep", kMaxDepth).At(file.name());
  }
  if (type->make == nullptr) {
    if (context.make_program == nullptr) {
      return Unsupported("the model is of type {}, which no executor was given for",
                         file.type_name())
          .At(file.name());
    }
    return context.make_program(file);
  }
  ANEMONE_ASSIGN(format::ModelInterface interface, format::DecodeInterface(file));
  return type->make(file, std::move(interface), context).At(file.name());
}

}  // namespace anemone::feature_models
