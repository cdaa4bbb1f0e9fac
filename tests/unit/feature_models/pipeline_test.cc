#include "models.h"

#include "feature_models/model_types.h"

namespace anemone::feature_models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Pipeline, HandsValuesFromModelToModel) {
  // 2 * (3 + 1) * 10 - 3 * (2 - 1) * 10 + 0.5.
  EXPECT_THAT(NumbersOfOutput(Ask(ScaledPipeline(), {{"a", 3.0}, {"b", 2.0}}), "y"),
              ElementsAre(50.5));
  const auto predictor = Make(ScaledPipeline());
  ASSERT_TRUE(predictor.ok()) << predictor.status().ToString();
  const Json stages = (*predictor)->Parameters()["stages"];
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0]["name"].text(), "vectorize");
  EXPECT_EQ(stages[1]["type"].text(), "scaler");
  EXPECT_EQ(stages[2]["name"].text(), "model2");
}

TEST(Pipeline, HoldsPipelinesToALimit) {
  proto::Model model = ScaledPipeline();
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    proto::Model outer = Regressor();
    *outer.mutable_pipeline()->add_models() = std::move(model);
    model = std::move(outer);
    if (depth == 2) {
      EXPECT_THAT(NumbersOfOutput(Ask(model, {{"a", 3.0}, {"b", 2.0}}), "y"), ElementsAre(50.5));
    }
  }
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("more than 16 deep"));
}

TEST(Pipeline, RefusesInputsFromNowhere) {
  proto::Model model = ScaledPipeline();
  model.mutable_pipelineregressor()
      ->mutable_pipeline()
      ->mutable_models(2)
      ->mutable_description()
      ->mutable_input(0)
      ->set_name("other");
  EXPECT_THAT(ErrorText(Make(model)),
              HasSubstr("model2: its input 'other' is neither an input of the pipeline"));
  model = ScaledPipeline();
  model.mutable_description()->mutable_output(0)->set_name("z");
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("no model of the pipeline gives its output 'z'"));
}

// Doubles its array; stands for a program.
class Doubler : public Predictor {
 public:
  explicit Doubler(format::ModelInterface interface) : Predictor(std::move(interface)) {}
  Json Parameters() const override { return Json::Object(); }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    std::vector<double> numbers = NumbersOf(std::get<exec::Tensor>(inputs.at("ab")));
    for (double& number : numbers) number *= 2;
    // As a network may: with a dimension more than the next model declares.
    return FeatureValues{{"scaled", ArrayValue({1, 2}, numbers)}};
  }
};

TEST(Pipeline, TakesProgramsFromItsCaller) {
  proto::Model model = ScaledPipeline();
  proto::Model* program = model.mutable_pipelineregressor()->mutable_pipeline()->mutable_models(1);
  program->mutable_mlprogram();
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("no executor was given"));
  Context context;
  context.make_program = [](const format::ModelFile& file) -> Result<std::unique_ptr<Predictor>> {
    ANEMONE_ASSIGN(format::ModelInterface interface, format::DecodeInterface(file));
    return std::unique_ptr<Predictor>(std::make_unique<Doubler>(std::move(interface)));
  };
  const auto predictor = Make(model, context);
  ASSERT_TRUE(predictor.ok()) << predictor.status().ToString();
  EXPECT_THAT(NumbersOfOutput((*predictor)->Predict({{"a", 1.0}, {"b", 2.0}}), "y"),
              ElementsAre(-7.5));
}

TEST(ModelTypes, EveryTypeOfTheFormatHasARow) {
  // The types of a Model message, by the tags of its one-of: an empty message of each.
  int types = 0;
  for (uint32_t field = 200; field <= 3000; ++field) {
    std::string bytes;
    for (uint32_t tag = field << 3 | 2; tag != 0; tag >>= 7)
      bytes.push_back(static_cast<char>(tag > 127 ? tag | 128 : tag));
    bytes.push_back(0);
    proto::Model model;
    ASSERT_TRUE(model.ParseFromString(bytes));
    if (model.Type_case() == proto::Model::TYPE_NOT_SET) continue;
    ++types;
    EXPECT_NE(FindModelType(format::TypeName(model)), nullptr) << field;
  }
  EXPECT_EQ(static_cast<size_t>(types), ModelTypes().size());
}

TEST(ModelTypes, WhatOnlyFrameworksHoldIsDescribedAndRefusedByName) {
  proto::Model model = Regressor();
  auto* text = model.mutable_textclassifier();
  text->set_language("en");
  text->mutable_stringclasslabels()->add_vector("spam");
  const auto predictor = Make(model);
  ASSERT_TRUE(predictor.ok()) << predictor.status().ToString();
  EXPECT_EQ((*predictor)->Parameters()["language"].text(), "en");
  EXPECT_THAT(ErrorText((*predictor)->Predict({{"a", 1.0}, {"b", 2.0}})),
              HasSubstr("a textClassifier cannot be run here: its parameters"));
}

}  // namespace
}  // namespace anemone::feature_models
