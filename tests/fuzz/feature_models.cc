// Models that are not programs, as a .mlmodel holds them: made, and asked once.
#include "fuzz/target.h"
#include "unit/feature_models/models.h"

namespace anemone::fuzz {

namespace fm = feature_models;

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (const auto& model :
       {fm::LinearRegressor(), fm::TreeRegressor(), fm::VectorMachine(), fm::Neighbors(),
        fm::Suppression(), fm::RecommenderModel(), fm::ScaledPipeline()}) {
    seeds.push_back(model.SerializeAsString());
  }
  return seeds;
}

void Try(std::span<const std::byte> bytes) {
  const auto file = format::ModelFile::Parse(Copied(bytes), "model", "/nowhere");
  if (!file.ok()) return;
  const auto predictor = fm::MakePredictor(*file, {});
  if (!predictor.ok()) return;
  (void)(*predictor)->Parameters().Dump();
  fm::FeatureValues inputs;
  for (const ir::Feature& feature : (*predictor)->description().inputs) {
    inputs.emplace(feature.name, fm::SomeValue(feature));
  }
  (void)(*predictor)->Predict(inputs).ok();
}

}  // namespace anemone::fuzz
