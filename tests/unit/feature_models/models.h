// Small models of each type for the tests of this folder, as wire messages, and how they are made and
// asked.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "feature_models/predictor.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {

namespace proto = format::proto;

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

inline proto::FeatureType* AddInput(proto::Model& model, const std::string& name) {
  proto::FeatureDescription* feature = model.mutable_description()->add_input();
  feature->set_name(name);
  return feature->mutable_type();
}
inline proto::FeatureType* AddOutput(proto::Model& model, const std::string& name) {
  proto::FeatureDescription* feature = model.mutable_description()->add_output();
  feature->set_name(name);
  return feature->mutable_type();
}
inline void SetDouble(proto::FeatureType* type) { type->mutable_doubletype(); }
inline void SetInt64(proto::FeatureType* type) { type->mutable_int64type(); }
inline void SetString(proto::FeatureType* type) { type->mutable_stringtype(); }
inline void SetArray(proto::FeatureType* type, std::initializer_list<int64_t> shape,
                     int32_t data_type = 65600) {
  type->mutable_multiarraytype()->set_datatype(data_type);
  for (const int64_t size : shape) type->mutable_multiarraytype()->add_shape(size);
}
inline void SetDictionary(proto::FeatureType* type, bool integer_keys) {
  if (integer_keys) {
    type->mutable_dictionarytype()->mutable_int64keytype();
  } else {
    type->mutable_dictionarytype()->mutable_stringkeytype();
  }
}
inline void SetSequence(proto::FeatureType* type, bool integers) {
  if (integers) {
    type->mutable_sequencetype()->mutable_int64type();
  } else {
    type->mutable_sequencetype()->mutable_stringtype();
  }
  type->mutable_sequencetype()->mutable_sizerange()->set_upperbound(-1);
}
// The outputs of a classifier with integer labels.
inline void AddIntegerClasses(proto::Model& model) {
  SetInt64(AddOutput(model, "label"));
  SetDictionary(AddOutput(model, "probabilities"), true);
  model.mutable_description()->set_predictedfeaturename("label");
  model.mutable_description()->set_predictedprobabilitiesname("probabilities");
}

template <typename List>
void Append(List* list, std::initializer_list<double> values) {
  for (const double value : values) list->Add(value);
}

inline Result<format::ModelFile> FileOf(const proto::Model& model) {
  const std::string bytes = model.SerializeAsString();
  return format::ModelFile::Parse(Bytes::FromVector(std::vector<char>(bytes.begin(), bytes.end())),
                                  "test.mlmodel", ".");
}

inline Result<std::unique_ptr<Predictor>> Make(const proto::Model& model,
                                               const Context& context = {}) {
  ANEMONE_ASSIGN(const format::ModelFile file, FileOf(model));
  return MakePredictor(file, context);
}

inline Result<FeatureValues> Ask(const proto::Model& model, const FeatureValues& inputs) {
  ANEMONE_ASSIGN(const auto predictor, Make(model));
  return predictor->Predict(inputs);
}

inline exec::Tensor ArrayValue(const ir::Shape& shape, std::vector<double> numbers,
                               DType dtype = DType::kFp64) {
  return ArrayOf(dtype, shape, numbers).value();
}

// The one output as numbers; fails the test with the error when there is none.
inline std::vector<double> NumbersOfOutput(const Result<FeatureValues>& outputs,
                                           const std::string& name) {
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  if (!outputs.ok() || !outputs->contains(name)) return {};
  const FeatureValue& value = outputs->at(name);
  if (const auto* number = std::get_if<double>(&value)) return {*number};
  if (const auto* integer = std::get_if<int64_t>(&value)) return {static_cast<double>(*integer)};
  if (const auto* tensor = std::get_if<exec::Tensor>(&value)) return NumbersOf(*tensor);
  if (const auto* dictionary = std::get_if<Int64Dictionary>(&value)) {
    std::vector<double> numbers;
    for (const auto& [key, number] : *dictionary) numbers.push_back(number);
    return numbers;
  }
  ADD_FAILURE() << name << " is " << KindOf(value);
  return {};
}

// What an error says, all of it; empty when there is none.
template <typename T>
std::string ErrorText(const Result<T>& result) {
  return result.ok() ? "" : result.error().ToString();
}

// A value of the kind that the feature declares.
inline FeatureValue SomeValue(const ir::Feature& feature) {
  if (const auto* array = feature.array()) {
    const int64_t count = ir::ElementCount(array->shape).value_or(1 << 20);
    if (count > 1 << 16) return 0.0;
    const ir::Shape shape = array->shape.empty() ? ir::Shape{2, 4} : array->shape;
    return ArrayValue(shape,
                      std::vector<double>(static_cast<size_t>(*ir::ElementCount(shape)), 0.5));
  }
  if (const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type)) {
    if (*scalar == ir::ScalarFeature::kInt64) return int64_t{1};
    if (*scalar == ir::ScalarFeature::kDouble) return 0.5;
    return std::string("a");
  }
  if (std::holds_alternative<ir::DictionaryFeature>(feature.type)) {
    return StringDictionary{{"tea", 1.0}};
  }
  return Strings{"tea"};
}

// --- Samples, one for each type that runs; the mutation test breaks them.

inline proto::Model Regressor() {
  proto::Model model;
  model.set_specificationversion(1);
  SetDouble(AddInput(model, "a"));
  SetDouble(AddInput(model, "b"));
  SetDouble(AddOutput(model, "y"));
  model.mutable_description()->set_predictedfeaturename("y");
  return model;
}

inline proto::Model LinearRegressor() {
  proto::Model model = Regressor();
  auto* glm = model.mutable_glmregressor();
  Append(glm->add_weights()->mutable_vector(), {2, -3});
  glm->add_offset(0.5);
  return model;
}

// a <= 1 ? (b < 0 ? 10 : 20) : 30, on a base of 100.
inline proto::Model TreeRegressor() {
  proto::Model model = Regressor();
  auto* trees = model.mutable_treeensembleregressor()->mutable_treeensemble();
  trees->set_numpredictiondimensions(1);
  trees->add_basepredictionvalue(100);
  const auto branch = [&](uint64_t id, int32_t behavior, uint64_t feature, double value,
                          uint64_t if_true, uint64_t if_false) {
    auto* node = trees->add_nodes();
    node->set_nodeid(id);
    node->set_nodebehavior(behavior);
    node->set_branchfeatureindex(feature);
    node->set_branchfeaturevalue(value);
    node->set_truechildnodeid(if_true);
    node->set_falsechildnodeid(if_false);
  };
  const auto leaf = [&](uint64_t id, double value) {
    auto* node = trees->add_nodes();
    node->set_nodeid(id);
    node->set_nodebehavior(6);
    node->add_evaluationinfo()->set_evaluationvalue(value);
  };
  branch(0, 0, 0, 1, 1, 2);
  branch(1, 1, 1, 0, 3, 4);
  leaf(2, 30);
  leaf(3, 10);
  leaf(4, 20);
  return model;
}

inline proto::Model VectorMachine() {
  proto::Model model;
  model.set_specificationversion(1);
  SetArray(AddInput(model, "x"), {2});
  AddIntegerClasses(model);
  auto* machine = model.mutable_supportvectorclassifier();
  machine->mutable_kernel()->mutable_linearkernel();
  for (const int label : {3, 7}) machine->mutable_int64classlabels()->add_vector(label);
  machine->add_numberofsupportvectorsperclass(1);
  machine->add_numberofsupportvectorsperclass(1);
  auto* vectors = machine->mutable_densesupportvectors();
  Append(vectors->add_vectors()->mutable_vector(), {1, 0});
  Append(vectors->add_vectors()->mutable_vector(), {0, 1});
  Append(machine->add_coefficients()->mutable_vector(), {1, -1});
  machine->add_rho(0.5);
  machine->add_proba(-2);
  machine->add_probb(0);
  return model;
}

inline proto::Model Neighbors() {
  proto::Model model;
  model.set_specificationversion(4);
  SetArray(AddInput(model, "x"), {2}, 65568);
  AddIntegerClasses(model);
  auto* neighbors = model.mutable_knearestneighborsclassifier();
  neighbors->mutable_numberofneighbors()->set_defaultvalue(3);
  neighbors->mutable_nearestneighborsindex()->set_numberofdimensions(2);
  for (const auto& [x, y, label] : std::vector<std::tuple<float, float, int>>{
           {0.0f, 0.0f, 1}, {1.0f, 0.0f, 1}, {5.0f, 5.0f, 2}, {6.0f, 5.0f, 2}}) {
    auto* sample = neighbors->mutable_nearestneighborsindex()->add_floatsamples();
    sample->add_vector(x);
    sample->add_vector(y);
    neighbors->mutable_int64classlabels()->add_vector(label);
  }
  neighbors->set_defaultint64label(9);
  return model;
}

inline proto::Model Suppression() {
  proto::Model model;
  model.set_specificationversion(3);
  SetArray(AddInput(model, "scores"), {});
  SetArray(AddInput(model, "boxes"), {});
  SetDouble(AddInput(model, "iou"));
  model.mutable_description()->mutable_input(2)->mutable_type()->set_isoptional(true);
  SetArray(AddOutput(model, "kept_scores"), {});
  SetArray(AddOutput(model, "kept_boxes"), {});
  auto* nms = model.mutable_nonmaximumsuppression();
  nms->set_iouthreshold(0.5);
  nms->set_confidencethreshold(0.2);
  nms->set_confidenceinputfeaturename("scores");
  nms->set_coordinatesinputfeaturename("boxes");
  nms->set_iouthresholdinputfeaturename("iou");
  nms->set_confidenceoutputfeaturename("kept_scores");
  nms->set_coordinatesoutputfeaturename("kept_boxes");
  nms->mutable_picktop()->set_perclass(true);
  return model;
}

inline proto::Model RecommenderModel() {
  proto::Model model;
  model.set_specificationversion(4);
  SetDictionary(AddInput(model, "items"), false);
  SetInt64(AddInput(model, "k"));
  model.mutable_description()->mutable_input(1)->mutable_type()->set_isoptional(true);
  SetSequence(AddOutput(model, "list"), false);
  SetDictionary(AddOutput(model, "scores"), false);
  auto* recommender = model.mutable_itemsimilarityrecommender();
  for (const char* name : {"tea", "milk", "jam", "bread"})
    recommender->mutable_itemstringids()->add_vector(name);
  const auto similar = [&](uint64_t item, std::vector<std::pair<uint64_t, double>> others,
                           double adjustment) {
    auto* list = recommender->add_itemitemsimilarities();
    list->set_itemid(item);
    list->set_itemscoreadjustment(adjustment);
    for (const auto& [other, score] : others) {
      auto* entry = list->add_similaritemlist();
      entry->set_itemid(other);
      entry->set_similarityscore(score);
    }
  };
  similar(0, {{1, 0.5}, {2, 0.25}}, 0);
  similar(1, {{3, 0.75}}, 0.5);
  similar(2, {{3, 1.0}}, 0);
  similar(3, {}, 0.5);
  recommender->set_iteminputfeaturename("items");
  recommender->set_numrecommendationsinputfeaturename("k");
  recommender->set_recommendeditemlistoutputfeaturename("list");
  recommender->set_recommendeditemscoreoutputfeaturename("scores");
  return model;
}

// a and b into an array, scaled, into the linear regressor above on an array.
inline proto::Model ScaledPipeline() {
  proto::Model model = Regressor();
  auto* pipeline = model.mutable_pipelineregressor()->mutable_pipeline();
  proto::Model* vectorizer = pipeline->add_models();
  SetDouble(AddInput(*vectorizer, "a"));
  SetDouble(AddInput(*vectorizer, "b"));
  SetArray(AddOutput(*vectorizer, "ab"), {2});
  for (const char* name : {"a", "b"}) {
    auto* column = vectorizer->mutable_featurevectorizer()->add_inputlist();
    column->set_inputcolumn(name);
    column->set_inputdimensions(1);
  }
  proto::Model* scaler = pipeline->add_models();
  SetArray(AddInput(*scaler, "ab"), {2});
  SetArray(AddOutput(*scaler, "scaled"), {2});
  Append(scaler->mutable_scaler()->mutable_shiftvalue(), {1, -1});
  Append(scaler->mutable_scaler()->mutable_scalevalue(), {10});
  proto::Model* linear = pipeline->add_models();
  SetArray(AddInput(*linear, "scaled"), {2});
  SetDouble(AddOutput(*linear, "y"));
  *linear->mutable_glmregressor() = LinearRegressor().glmregressor();
  pipeline->add_names("vectorize");
  return model;
}

}  // namespace anemone::feature_models
