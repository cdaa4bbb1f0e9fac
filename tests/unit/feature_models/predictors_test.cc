// The classifiers, regressors and the recommender beside the trees.
#include <cmath>

#include "models.h"

namespace anemone::feature_models {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

double Logistic(double x) { return 1 / (1 + std::exp(-x)); }

TEST(Glm, IsALinearSumThroughALink) {
  proto::Model model = LinearRegressor();
  const FeatureValues inputs = {{"a", 2.0}, {"b", int64_t{1}}};
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(1.5));
  model.mutable_glmregressor()->set_postevaluationtransform(1);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(Logistic(1.5)));
  model.mutable_glmregressor()->set_postevaluationtransform(2);
  // The normal distribution's 1.5.
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"),
              ElementsAre(DoubleNear(0.9331927987311419, 1e-15)));
  model.mutable_glmregressor()->add_offset(1);
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("1 rows of weights, but 2 offsets"));
}

TEST(Glm, ClassifiesByEitherEncoding) {
  proto::Model model;
  SetArray(AddInput(model, "x"), {1});
  AddIntegerClasses(model);
  auto* glm = model.mutable_glmclassifier();
  for (const int label : {1, 2, 3}) glm->mutable_int64classlabels()->add_vector(label);
  for (const double weight : {1.0, -1.0}) {
    Append(glm->add_weights()->mutable_vector(), {weight});
    glm->add_offset(0);
  }
  const FeatureValues inputs = {{"x", ArrayValue({1}, {2})}};
  const double sum = 1 + std::exp(2) + std::exp(-2);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "probabilities"),
              ElementsAre(DoubleNear(1 / sum, 1e-15), DoubleNear(std::exp(2) / sum, 1e-15),
                          DoubleNear(std::exp(-2) / sum, 1e-15)));
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "label"), ElementsAre(2));
  glm->set_classencoding(1);
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("2 rows of weights for 3 classes"));
  Append(glm->add_weights()->mutable_vector(), {0});
  glm->add_offset(0);
  const double total = Logistic(2) + Logistic(-2) + 0.5;
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "probabilities"),
              ElementsAre(DoubleNear(Logistic(2) / total, 1e-15),
                          DoubleNear(Logistic(-2) / total, 1e-15), DoubleNear(0.5 / total, 1e-15)));
}

TEST(SupportVectors, DecideAndGiveProbabilities) {
  // The decision is 1 * 3 - 1 * 1 - 0.5; the pair's sigmoid 1 / (1 + exp(-2 * 1.5)).
  const auto outputs = Ask(VectorMachine(), {{"x", ArrayValue({2}, {3, 1})}});
  EXPECT_THAT(NumbersOfOutput(outputs, "probabilities"),
              ElementsAre(DoubleNear(Logistic(3), 1e-15), DoubleNear(Logistic(-3), 1e-15)));
  EXPECT_THAT(NumbersOfOutput(outputs, "label"), ElementsAre(3));
  EXPECT_THAT(NumbersOfOutput(Ask(VectorMachine(), {{"x", ArrayValue({2}, {0, 1})}}), "label"),
              ElementsAre(7));
}

TEST(SupportVectors, HaveFourKernelsDenseOrSparse) {
  proto::Model model;
  SetArray(AddInput(model, "x"), {2});
  SetDouble(AddOutput(model, "y"));
  auto* machine = model.mutable_supportvectorregressor();
  Append(machine->mutable_coefficients()->mutable_vector(), {2});
  machine->set_rho(1);
  auto* node = machine->mutable_sparsesupportvectors()->add_vectors()->add_nodes();
  node->set_index(2);
  node->set_value(3);
  const FeatureValues inputs = {{"x", ArrayValue({2}, {1, 2})}};
  auto* kernel = machine->mutable_kernel();
  kernel->mutable_linearkernel();
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(2 * 6 - 1));
  kernel->mutable_rbfkernel()->set_gamma(0.5);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(2 * std::exp(-1.0) - 1));
  kernel->mutable_polykernel()->set_gamma(0.5);
  kernel->mutable_polykernel()->set_c(1);
  kernel->mutable_polykernel()->set_degree(3);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(2 * 64 - 1));
  kernel->mutable_sigmoidkernel()->set_gamma(0.5);
  kernel->mutable_sigmoidkernel()->set_c(-2);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(2 * std::tanh(1.0) - 1));
  auto* dense = machine->mutable_densesupportvectors()->add_vectors();
  Append(dense->mutable_vector(), {0, 3});
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(2 * std::tanh(1.0) - 1));
  kernel->clear_kernel();
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("no kernel"));
}

TEST(Neighbors, VoteByDistance) {
  const FeatureValues inputs = {{"x", ArrayValue({2}, {1, 1}, DType::kFp32)}};
  auto outputs = Ask(Neighbors(), inputs);
  EXPECT_THAT(NumbersOfOutput(outputs, "label"), ElementsAre(1));
  EXPECT_THAT(NumbersOfOutput(outputs, "probabilities"), ElementsAre(2.0 / 3, 1.0 / 3));
  proto::Model weighted = Neighbors();
  weighted.mutable_knearestneighborsclassifier()->mutable_inversedistanceweighting();
  // Squared distances 1, 2 and 32.
  const double total = 1 + 0.5 + 1.0 / 32;
  EXPECT_THAT(NumbersOfOutput(Ask(weighted, inputs), "probabilities"),
              ElementsAre(DoubleNear(1.5 / total, 1e-15), DoubleNear(1.0 / 32 / total, 1e-15)));
  proto::Model empty = Neighbors();
  empty.mutable_knearestneighborsclassifier()
      ->mutable_nearestneighborsindex()
      ->clear_floatsamples();
  empty.mutable_knearestneighborsclassifier()->mutable_int64classlabels()->clear_vector();
  EXPECT_THAT(NumbersOfOutput(Ask(empty, inputs), "label"), ElementsAre(9));
}

TEST(Recommender, ScoresItemsThatAreSimilar) {
  // jam: 0.25 * 2; bread: 0.75 * (1 - 0.5). tea and milk are given.
  const StringDictionary items = {{"tea", 2}, {"milk", 1}, {"coal", 5}};
  auto outputs = Ask(RecommenderModel(), {{"items", items}});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(std::get<Strings>(outputs->at("list")), (Strings{"jam", "bread"}));
  EXPECT_EQ(std::get<StringDictionary>(outputs->at("scores")),
            (StringDictionary{{"jam", 0.5}, {"bread", 0.375}}));
  outputs = Ask(RecommenderModel(), {{"items", items}, {"k", int64_t{1}}});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(std::get<Strings>(outputs->at("list")), Strings{"jam"});
}

TEST(BayesianProbit, GivesMeanAndVariance) {
  proto::Model model;
  SetArray(AddInput(model, "x"), {2});
  SetDouble(AddOutput(model, "mean"));
  SetDouble(AddOutput(model, "variance"));
  auto* probit = model.mutable_bayesianprobitregressor();
  probit->set_numberoffeatures(2);
  probit->mutable_bias()->set_mean(0.5);
  probit->mutable_bias()->set_precision(2);
  probit->set_regressioninputfeaturename("x");
  probit->set_meanoutputfeaturename("mean");
  probit->set_varianceoutputfeaturename("variance");
  for (const uint32_t id : {0u, 1u}) {
    auto* feature = probit->add_features();
    feature->set_featureid(id);
    auto* weight = feature->add_weights();
    weight->set_featurevalue(id + 3);
    weight->mutable_featureweight()->set_mean(id + 1);
    weight->mutable_featureweight()->set_precision(4);
  }
  const auto outputs = Ask(model, {{"x", ArrayValue({2}, {3, 4})}});
  EXPECT_THAT(NumbersOfOutput(outputs, "mean"), ElementsAre(3.5));
  EXPECT_THAT(NumbersOfOutput(outputs, "variance"), ElementsAre(1.0));
  EXPECT_THAT(ErrorText(Ask(model, {{"x", ArrayValue({2}, {3, 5})}})),
              HasSubstr("feature 1 has no value 5"));
  SetDouble(AddOutput(model, "probability"));
  EXPECT_THAT(ErrorText(Ask(model, {{"x", ArrayValue({2}, {3, 4})}})),
              HasSubstr("the steepness of the link function"));
}

}  // namespace
}  // namespace anemone::feature_models
