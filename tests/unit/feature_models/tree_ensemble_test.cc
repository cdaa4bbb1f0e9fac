#include <cmath>
#include <limits>

#include "models.h"

namespace anemone::feature_models {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(TreeEnsemble, FollowsBranchesAndAddsToTheBase) {
  const proto::Model model = TreeRegressor();
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"a", 1.0}, {"b", -1.0}}), "y"), ElementsAre(110));
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"a", 1.0}, {"b", 0.0}}), "y"), ElementsAre(120));
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"a", 1.5}, {"b", -1.0}}), "y"), ElementsAre(130));
}

TEST(TreeEnsemble, HasSixComparisons) {
  // Whether each holds for a value below, at and above the threshold.
  const bool expected[6][3] = {{true, true, false},  {true, false, false}, {false, true, true},
                               {false, false, true}, {false, true, false}, {true, false, true}};
  for (int behavior = 0; behavior < 6; ++behavior) {
    proto::Model model = TreeRegressor();
    auto* node = model.mutable_treeensembleregressor()->mutable_treeensemble()->mutable_nodes(0);
    node->set_nodebehavior(behavior);
    for (int i = 0; i < 3; ++i) {
      const double a = 1 + (i - 1) * 0.5;
      EXPECT_THAT(NumbersOfOutput(Ask(model, {{"a", a}, {"b", 1.0}}), "y"),
                  ElementsAre(expected[behavior][i] ? 120 : 130))
          << behavior << " " << a;
    }
  }
}

TEST(TreeEnsemble, AMissingNumberFollowsTheBranchsRule) {
  proto::Model model = TreeRegressor();
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"a", kNan}, {"b", 1.0}}), "y"), ElementsAre(130));
  auto* node = model.mutable_treeensembleregressor()->mutable_treeensemble()->mutable_nodes(0);
  node->set_missingvaluetrackstruechild(true);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"a", kNan}, {"b", 1.0}}), "y"), ElementsAre(120));
  // An optional input that is not given is missing too; one that is not optional is an error.
  EXPECT_THAT(ErrorText(Ask(model, {{"b", 1.0}})), HasSubstr("input 'a' is missing"));
  model.mutable_description()->mutable_input(0)->mutable_type()->set_isoptional(true);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"b", 1.0}}), "y"), ElementsAre(120));
}

TEST(TreeEnsemble, RoundsInputsWhereThresholdsAreSinglePrecision) {
  proto::Model model = TreeRegressor();
  auto* node = model.mutable_treeensembleregressor()->mutable_treeensemble()->mutable_nodes(0);
  node->set_nodebehavior(1);
  // XGBoost's: 0.1 is not below the threshold that was 0.1 in single precision.
  node->set_branchfeaturevalue(double{0.1f});
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"a", 0.1}, {"b", 1.0}}), "y"), ElementsAre(130));
  // scikit-learn's: a threshold that needs double precision is compared in it.
  node->set_branchfeaturevalue(0.1 + 1e-12);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"a", 0.1}, {"b", 1.0}}), "y"), ElementsAre(120));
}

proto::Model Classifier(int dimensions, int transform, int classes) {
  proto::Model model;
  SetDouble(AddInput(model, "a"));
  AddIntegerClasses(model);
  auto* classifier = model.mutable_treeensembleclassifier();
  classifier->set_postevaluationtransform(transform);
  for (int i = 0; i < classes; ++i) classifier->mutable_int64classlabels()->add_vector(10 + i);
  classifier->mutable_treeensemble()->set_numpredictiondimensions(
      static_cast<uint64_t>(dimensions));
  auto* leaf = classifier->mutable_treeensemble()->add_nodes();
  leaf->set_nodebehavior(6);
  for (int i = 0; i < dimensions; ++i) {
    auto* value = leaf->add_evaluationinfo();
    value->set_evaluationindex(static_cast<uint64_t>(i));
    value->set_evaluationvalue(i);
  }
  return model;
}

TEST(TreeEnsemble, TransformsScoresToProbabilities) {
  const double e = std::exp(1);
  auto outputs = Ask(Classifier(2, 1, 2), {{"a", 0.0}});
  EXPECT_THAT(NumbersOfOutput(outputs, "probabilities"),
              ElementsAre(DoubleNear(1 / (1 + e), 1e-15), DoubleNear(e / (1 + e), 1e-15)));
  EXPECT_THAT(NumbersOfOutput(outputs, "label"), ElementsAre(11));
  // The class of score 0 is in front of the two of the trees.
  outputs = Ask(Classifier(2, 3, 3), {{"a", 0.0}});
  EXPECT_THAT(NumbersOfOutput(outputs, "probabilities"),
              ElementsAre(DoubleNear(1 / (2 + e), 1e-15), DoubleNear(1 / (2 + e), 1e-15),
                          DoubleNear(e / (2 + e), 1e-15)));
  EXPECT_THAT(NumbersOfOutput(outputs, "label"), ElementsAre(12));
  // One score for two classes; the first one wins a tie.
  outputs = Ask(Classifier(1, 2, 2), {{"a", 0.0}});
  EXPECT_THAT(NumbersOfOutput(outputs, "probabilities"), ElementsAre(0.5, 0.5));
  EXPECT_THAT(NumbersOfOutput(outputs, "label"), ElementsAre(10));
  EXPECT_THAT(ErrorText(Make(Classifier(2, 0, 3))), HasSubstr("2 scores for 3 classes"));
}

TEST(TreeEnsemble, RefusesWhatIsNotATree) {
  const auto error = [](auto change) {
    proto::Model model = TreeRegressor();
    change(*model.mutable_treeensembleregressor()->mutable_treeensemble());
    return ErrorText(Make(model));
  };
  using Trees = proto::TreeEnsembleParameters;
  EXPECT_THAT(error([](Trees& trees) { trees.mutable_nodes(1)->set_truechildnodeid(99); }),
              HasSubstr("tree 0 node 1: its child 99 is not a node of the tree"));
  EXPECT_THAT(error([](Trees& trees) { trees.mutable_nodes(1)->set_truechildnodeid(1); }),
              HasSubstr("2 nodes have no parent"));
  EXPECT_THAT(error([](Trees& trees) { trees.mutable_nodes(1)->set_truechildnodeid(0); }),
              HasSubstr("4 nodes are not below its root"));
  EXPECT_THAT(error([](Trees& trees) { trees.mutable_nodes(1)->set_truechildnodeid(4); }),
              HasSubstr("2 nodes have no parent"));
  EXPECT_THAT(error([](Trees& trees) { trees.mutable_nodes(2)->set_nodeid(1); }),
              HasSubstr("the node is there twice"));
  EXPECT_THAT(error([](Trees& trees) { trees.mutable_nodes(0)->set_branchfeatureindex(2); }),
              HasSubstr("the one at place 2"));
  EXPECT_THAT(error([](Trees& trees) { trees.mutable_nodes(0)->set_nodebehavior(7); }),
              HasSubstr("node behavior 7 is not known"));
  EXPECT_THAT(error([](Trees& trees) {
                trees.mutable_nodes(2)->mutable_evaluationinfo(0)->set_evaluationindex(1);
              }),
              HasSubstr("dimension 1 of 1"));
  EXPECT_THAT(error([](Trees& trees) { trees.set_numpredictiondimensions(uint64_t{1} << 40); }),
              HasSubstr("exceed the limit"));
}

TEST(TreeEnsemble, RefusesCirclesBelowARoot) {
  proto::Model model = TreeRegressor();
  auto* trees = model.mutable_treeensembleregressor()->mutable_treeensemble();
  // 0 -> 1 -> {1's leaf, 2}, 2 -> {1, leaf}: one root, and a circle of 1 and 2.
  trees->mutable_nodes(1)->set_falsechildnodeid(2);
  auto* circle = trees->mutable_nodes(2);
  circle->set_nodebehavior(0);
  circle->set_truechildnodeid(1);
  circle->set_falsechildnodeid(4);
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("in a circle"));
}

TEST(TreeEnsemble, SaysWhatItHolds) {
  const auto predictor = Make(TreeRegressor());
  ASSERT_TRUE(predictor.ok()) << predictor.status().ToString();
  const Json json = (*predictor)->Parameters();
  EXPECT_EQ(json["trees"].integer(), 1);
  EXPECT_EQ(json["nodes"].integer(), 5);
  EXPECT_EQ(json["leaves"].integer(), 3);
}

}  // namespace
}  // namespace anemone::feature_models
