// The types that prepare features, and what follows a detector.
#include <cmath>
#include <limits>

#include "models.h"

namespace anemone::feature_models {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

proto::Model ArrayToArray(int64_t size) {
  proto::Model model;
  SetArray(AddInput(model, "x"), {size});
  SetArray(AddOutput(model, "y"), {size});
  return model;
}

TEST(FeatureEngineering, ScalesWithOneValueOrOneForEach) {
  proto::Model model = ArrayToArray(2);
  Append(model.mutable_scaler()->mutable_shiftvalue(), {-1, 1});
  Append(model.mutable_scaler()->mutable_scalevalue(), {2});
  const FeatureValues inputs = {{"x", ArrayValue({2}, {3, 4})}};
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(4, 10));
  Append(model.mutable_scaler()->mutable_scalevalue(), {3, 4});
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("3 shifts or scales for 2 elements"));
}

TEST(FeatureEngineering, NormalizesByThreeNorms) {
  proto::Model model = ArrayToArray(2);
  const FeatureValues inputs = {{"x", ArrayValue({2}, {3, -4})}};
  model.mutable_normalizer()->set_normtype(0);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(0.75, -1));
  model.mutable_normalizer()->set_normtype(1);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"),
              ElementsAre(DoubleEq(3.0 / 7), DoubleEq(-4.0 / 7)));
  model.mutable_normalizer()->set_normtype(2);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(DoubleEq(0.6), DoubleEq(-0.8)));
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"x", ArrayValue({2}, {0, 0})}}), "y"),
              ElementsAre(0, 0));
}

TEST(FeatureEngineering, EncodesCategories) {
  proto::Model model;
  SetString(AddInput(model, "town"));
  SetArray(AddOutput(model, "y"), {2});
  auto* encoder = model.mutable_onehotencoder();
  encoder->mutable_stringcategories()->add_vector("Oslo");
  encoder->mutable_stringcategories()->add_vector("Bergen");
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"town", std::string("Bergen")}}), "y"),
              ElementsAre(0, 1));
  EXPECT_THAT(ErrorText(Ask(model, {{"town", std::string("Moss")}})),
              HasSubstr("input 'town': 'Moss' is not a category"));
  encoder->set_handleunknown(1);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"town", std::string("Moss")}}), "y"), ElementsAre(0, 0));
  EXPECT_THAT(ErrorText(Ask(model, {{"town", 3.0}})), HasSubstr("it takes a text, not a double"));
  SetDictionary(model.mutable_description()->mutable_output(0)->mutable_type(), true);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"town", std::string("Moss")}}), "y"), IsEmpty());
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"town", std::string("Oslo")}}), "y"), ElementsAre(1));
}

TEST(FeatureEngineering, ImputesWhatIsMissing) {
  proto::Model model = ArrayToArray(2);
  Append(model.mutable_imputer()->mutable_imputeddoublearray()->mutable_vector(), {7, 8});
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"x", ArrayValue({2}, {1, kNan})}}), "y"),
              ElementsAre(1, 8));
  model.mutable_imputer()->set_replacedoublevalue(-1);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"x", ArrayValue({2}, {-1, 3})}}), "y"),
              ElementsAre(7, 3));

  proto::Model integer;
  SetInt64(AddInput(integer, "x"));
  integer.mutable_description()->mutable_input(0)->mutable_type()->set_isoptional(true);
  SetInt64(AddOutput(integer, "y"));
  integer.mutable_imputer()->set_imputedint64value(5);
  EXPECT_THAT(NumbersOfOutput(Ask(integer, {}), "y"), ElementsAre(5));
  EXPECT_THAT(NumbersOfOutput(Ask(integer, {{"x", int64_t{2}}}), "y"), ElementsAre(2));

  proto::Model dictionary;
  SetDictionary(AddInput(dictionary, "x"), true);
  SetDictionary(AddOutput(dictionary, "y"), true);
  auto* entry = dictionary.mutable_imputer()->mutable_imputedint64dictionary()->add_map();
  entry->set_key(4);
  entry->set_value(0.5);
  EXPECT_THAT(NumbersOfOutput(Ask(dictionary, {{"x", Int64Dictionary{{1, 9.0}}}}), "y"),
              ElementsAre(9, 0.5));
}

TEST(FeatureEngineering, MapsCategories) {
  proto::Model model;
  SetString(AddInput(model, "x"));
  SetInt64(AddOutput(model, "y"));
  auto* entry = model.mutable_categoricalmapping()->mutable_stringtoint64map()->add_map();
  entry->set_key("a");
  entry->set_value(3);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"x", std::string("a")}}), "y"), ElementsAre(3));
  EXPECT_THAT(ErrorText(Ask(model, {{"x", std::string("b")}})),
              HasSubstr("'b' is not in the mapping"));
  model.mutable_categoricalmapping()->set_int64value(-1);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"x", std::string("b")}}), "y"), ElementsAre(-1));
  SetSequence(model.mutable_description()->mutable_input(0)->mutable_type(), false);
  SetSequence(model.mutable_description()->mutable_output(0)->mutable_type(), true);
  const auto outputs = Ask(model, {{"x", Strings{"b", "a"}}});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(std::get<Int64s>(outputs->at("y")), (Int64s{-1, 3}));
}

TEST(FeatureEngineering, VectorizesNumbersArraysAndPlaces) {
  proto::Model model;
  SetInt64(AddInput(model, "a"));
  SetArray(AddInput(model, "b"), {2}, 65568);
  SetDictionary(AddInput(model, "c"), true);
  SetArray(AddOutput(model, "y"), {6});
  for (const auto& [name, length] :
       std::vector<std::pair<std::string, uint64_t>>{{"a", 1}, {"b", 2}, {"c", 3}}) {
    auto* column = model.mutable_featurevectorizer()->add_inputlist();
    column->set_inputcolumn(name);
    column->set_inputdimensions(length);
  }
  FeatureValues inputs = {{"a", int64_t{4}},
                          {"b", ArrayValue({2}, {5, 6}, DType::kFp32)},
                          {"c", Int64Dictionary{{2, 7.0}}}};
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "y"), ElementsAre(4, 5, 6, 0, 0, 7));
  inputs["c"] = Int64Dictionary{{3, 7.0}};
  EXPECT_THAT(ErrorText(Ask(model, inputs)), HasSubstr("the key 3 is not one of its 3 places"));
  model.mutable_featurevectorizer()->mutable_inputlist(2)->set_inputdimensions(uint64_t{1} << 60);
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("its columns have more than"));
}

TEST(FeatureEngineering, VectorizesDictionaries) {
  proto::Model model;
  SetDictionary(AddInput(model, "x"), false);
  SetArray(AddOutput(model, "y"), {2});
  for (const char* key : {"a", "b"})
    model.mutable_dictvectorizer()->mutable_stringtoindex()->add_vector(key);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"x", StringDictionary{{"b", 2}, {"z", 9}}}}), "y"),
              ElementsAre(0, 2));
  EXPECT_THAT(ErrorText(Ask(model, {{"x", Int64Dictionary{{1, 2.0}}}})),
              HasSubstr("with text keys"));
  // As coremltools writes it: declared with text keys, but a table of integers.
  for (const int64_t key : {5, 6})
    model.mutable_dictvectorizer()->mutable_int64toindex()->add_vector(key);
  SetDictionary(model.mutable_description()->mutable_output(0)->mutable_type(), true);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"x", Int64Dictionary{{6, 2.0}}}}), "y"), ElementsAre(2));
}

TEST(FeatureEngineering, ExtractsElements) {
  proto::Model model;
  SetArray(AddInput(model, "x"), {3});
  SetInt64(AddOutput(model, "y"));
  model.mutable_arrayfeatureextractor()->add_extractindex(2);
  EXPECT_THAT(NumbersOfOutput(Ask(model, {{"x", ArrayValue({3}, {1, 2, 3.7})}}), "y"),
              ElementsAre(3));
  model.mutable_arrayfeatureextractor()->set_extractindex(0, 3);
  EXPECT_THAT(ErrorText(Make(model)), HasSubstr("it extracts element 3 of 3"));
}

TEST(FeatureEngineering, SuppressesBoxesThatOverlap) {
  const FeatureValues inputs = {
      {"scores", ArrayValue({4, 2}, {0.6, 0, 0.9, 0, 0, 0.8, 0.1, 0})},
      {"boxes", ArrayValue({4, 4}, {10, 10, 4, 4, 10, 11, 4, 4, 10, 11, 4, 4, 50, 50, 1, 1})}};
  // Boxes 0 and 1 overlap by 12 of 20; box 2 lies on box 1 but is of another class; box 3 is unlikely.
  EXPECT_THAT(NumbersOfOutput(Ask(Suppression(), inputs), "kept_scores"),
              ElementsAre(0.9, 0, 0, 0.8));
  EXPECT_THAT(NumbersOfOutput(Ask(Suppression(), inputs), "kept_boxes"),
              ElementsAre(10, 11, 4, 4, 10, 11, 4, 4));
  proto::Model model = Suppression();
  model.mutable_nonmaximumsuppression()->mutable_picktop()->set_perclass(false);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "kept_scores"), ElementsAre(0.9, 0));
  FeatureValues looser = inputs;
  looser["iou"] = 0.7;
  EXPECT_THAT(NumbersOfOutput(Ask(model, looser), "kept_scores"), ElementsAre(0.9, 0, 0.6, 0));
  // A fixed number of rows is filled up.
  auto* shape =
      model.mutable_description()->mutable_output(0)->mutable_type()->mutable_multiarraytype();
  shape->add_shape(3);
  shape->add_shape(2);
  EXPECT_THAT(NumbersOfOutput(Ask(model, inputs), "kept_scores"), ElementsAre(0.9, 0, 0, 0, 0, 0));
}

TEST(FeatureEngineering, ChecksInputsByNameAndKind) {
  const proto::Model model = LinearRegressor();
  EXPECT_THAT(ErrorText(Ask(model, {{"a", 1.0}, {"b", 1.0}, {"c", 1.0}})),
              HasSubstr("the model has no input 'c'"));
  EXPECT_THAT(ErrorText(Ask(model, {{"a", std::string("1")}, {"b", 1.0}})),
              HasSubstr("input 'a': it takes a double, not a text"));
  proto::Model array = ArrayToArray(2);
  array.mutable_scaler();
  EXPECT_THAT(ErrorText(Ask(array, {{"x", ArrayValue({3}, {1, 2, 3})}})),
              HasSubstr("not an array of shape [3]"));
  // A declared default stands in for an optional array.
  auto* type = array.mutable_description()->mutable_input(0)->mutable_type();
  type->set_isoptional(true);
  type->mutable_multiarraytype()->set_doubledefaultvalue(2.5);
  EXPECT_THAT(NumbersOfOutput(Ask(array, {}), "y"), ElementsAre(2.5, 2.5));
}

}  // namespace
}  // namespace anemone::feature_models
