// The states of the C++ interface: made by a model, read, written, refused.
#include <gtest/gtest.h>

#include "anemone/model.h"

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

}  // namespace
}  // namespace anemone
