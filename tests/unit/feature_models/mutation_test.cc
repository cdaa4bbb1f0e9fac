// Broken files: seeded changes of the bytes of each sample. Each is refused, or runs and answers; none
// crashes or takes long.
#include <random>

#include "models.h"
#include "support/mutations.h"

namespace anemone::feature_models {
namespace {

void TryAll(const std::string& bytes) {
  const auto file = format::ModelFile::Parse(
      Bytes::FromVector(std::vector<char>(bytes.begin(), bytes.end())), "broken", "/nowhere");
  if (!file.ok()) return;
  const auto predictor = MakePredictor(*file, {});
  if (!predictor.ok()) return;
  FeatureValues inputs;
  for (const ir::Feature& feature : (*predictor)->description().inputs) {
    inputs.emplace(feature.name, SomeValue(feature));
  }
  const auto outputs = (*predictor)->Predict(inputs);
  if (outputs.ok()) {
    EXPECT_LE(outputs->size(), (*predictor)->description().outputs.size());
  }
}

class Mutations : public testing::TestWithParam<int> {};

TEST_P(Mutations, NeverCrash) {
  const std::vector<proto::Model> samples = {LinearRegressor(), TreeRegressor(), VectorMachine(),
                                             Neighbors(),       Suppression(),   RecommenderModel(),
                                             ScaledPipeline()};
  const std::string bytes = samples[static_cast<size_t>(GetParam())].SerializeAsString();
  TryAll(bytes);
  std::mt19937 random(static_cast<uint32_t>(GetParam()) + 20261129);
  for (size_t round = 0; round < 4000 * test::FuzzRounds(); ++round) {
    std::string broken = bytes;
    const int changes = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < changes; ++i) {
      const size_t place = random() % broken.size();
      switch (random() % 4) {
        case 0:
          broken[place] = static_cast<char>(random());
          break;
        case 1:
          broken[place] = static_cast<char>(broken[place] ^ (1 << (random() % 8)));
          break;
        case 2:
          broken.insert(place, 1, static_cast<char>(random() % 2 == 0 ? 0xff : 0x01));
          break;
        default:
          if (broken.size() > 1) broken.erase(place, 1);
      }
    }
    TryAll(broken);
  }
}

INSTANTIATE_TEST_SUITE_P(Samples, Mutations, testing::Range(0, 7));

}  // namespace
}  // namespace anemone::feature_models
