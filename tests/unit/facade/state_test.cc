// The states of the C++ interface: made by a model, read, written, refused.
#include <gtest/gtest.h>

#include "anemone/anemone.h"
#include "anemone/feature_model.h"
#include "anemone/model.h"
#include "anemone/session.h"

namespace anemone {
namespace {

constexpr const char* kPackage = "tests/fixtures/packages/state.mlpackage";

const float* Floats(const Array& array) { return static_cast<const float*>(array.data.get()); }

TEST(FacadeState, AModelMakesItsStatesAsZeros) {
  auto model = Model::Load(kPackage);
  ASSERT_TRUE(model) << model.failure().ToString();
  ASSERT_EQ(model->states().size(), 1U);
  const std::string name = model->states()[0].name;
  EXPECT_EQ(model->states()[0].shape, (std::vector<int64_t>{2, 3}));
  auto state = model->MakeState();
  ASSERT_TRUE(state) << state.failure().ToString();
  auto value = state->Read(name);
  ASSERT_TRUE(value) << value.failure().ToString();
  ASSERT_EQ(value->shape, (std::vector<int64_t>{2, 3}));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Floats(*value)[i], 0.0F);
  const auto missing = state->Read("nothing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.failure().code, "usage");
  EXPECT_EQ(missing.failure().advice, "there is " + name);
}

TEST(FacadeState, WritesAreRoundedAndHeldToTheDeclaration) {
  auto model = Model::Load(kPackage);
  ASSERT_TRUE(model);
  const std::string name = model->states()[0].name;
  auto state = model->MakeState();
  ASSERT_TRUE(state);
  const std::vector<float> values = {1, 2, 3, 4, 5, 1.0001F};
  ASSERT_FALSE(state->Write(name, Array::Float32({2, 3}, values)).has_value());
  auto value = state->Read(name);
  ASSERT_TRUE(value);
  EXPECT_EQ(Floats(*value)[4], 5.0F);
  EXPECT_EQ(Floats(*value)[5], 1.0F);  // the state is half precision
  auto refused = state->Write(name, Array::Float32({3, 2}, values));
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->place, "state '" + name + "'");
  refused = state->Write("nothing", Array::Float32({2, 3}, values));
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, "usage");
}

TEST(FacadeState, AStateOfAnotherShapeIsRefusedByThePrediction) {
  auto model = Model::Load(kPackage);
  ASSERT_TRUE(model);
  State state;  // of no model: it takes anything
  ASSERT_FALSE(
      state.Write(model->states()[0].name, Array::Float32({1}, std::vector<float>{1})).has_value());
  const auto answer =
      model->Predict({{"x", Array::Float32({2, 3}, std::vector<float>(6, 1.0F))}}, &state);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.failure().code, "usage");
}

TEST(FacadeState, APredictionOfAStatefulModelWithoutAStateIsRefused) {
  auto model = Model::Load(kPackage);
  ASSERT_TRUE(model);
  const std::map<std::string, Array> inputs = {
      {"x", Array::Float32({2, 3}, std::vector<float>(6, 1.0F))}};
  const std::string words = "the model keeps '" + model->states()[0].name +
                            "' between predictions, and no state is given";
  const auto by_model = model->Predict(inputs);
  ASSERT_FALSE(by_model);
  EXPECT_EQ(by_model.failure().code, "usage");
  EXPECT_EQ(by_model.failure().message, words);
  auto session = Session::Open(*model);
  ASSERT_TRUE(session) << session.failure().ToString();
  const auto by_session = session->Predict(inputs);
  ASSERT_FALSE(by_session);
  EXPECT_EQ(by_session.failure().message, words);
  const auto by_binding = session->Run(Binding());
  ASSERT_TRUE(by_binding.has_value());
  EXPECT_EQ(by_binding->message, words);
  auto features = FeatureModel::Load(kPackage);
  ASSERT_TRUE(features) << features.failure().ToString();
  const auto by_features = features->Predict({{"x", FeatureValue(inputs.at("x"))}});
  ASSERT_FALSE(by_features);
  EXPECT_EQ(by_features.failure().message, words);
  State state;
  EXPECT_TRUE(model->Predict(inputs, &state));
  EXPECT_TRUE(session->Predict(inputs, &state));
}

TEST(FacadeState, TheCInterfaceRefusesAStatefulCallWithoutAState) {
  anemone_session* session = nullptr;
  anemone_error* error = nullptr;
  ASSERT_EQ(anemone_session_open(kPackage, nullptr, &session, &error), 0);
  anemone_binding* binding = anemone_binding_create();
  EXPECT_EQ(anemone_session_run(session, binding, nullptr, nullptr, &error), 2);
  EXPECT_NE(std::string(anemone_error_text(error)).find("no state is given"), std::string::npos);
  anemone_error_free(error);
  anemone_binding_free(binding);
  anemone_session_close(session);
}

}  // namespace
}  // namespace anemone
