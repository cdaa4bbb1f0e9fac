// The C++ interface of a session: classes, bound memory, reports.
#include "anemone/session.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/allocations.h"

namespace anemone {
namespace {

Session OpenClassifier(const SessionOptions& options = {}) {
  auto model = Model::Load("tests/fixtures/packages/classifier_strings.mlpackage");
  EXPECT_TRUE(model) << model.failure().ToString();
  auto session = Session::Open(*model, options);
  EXPECT_TRUE(session) << session.failure().ToString();
  return *session;
}

TEST(FacadeSession, AClassifierAnswersWithItsIndexAndHasNames) {
  const Session session = OpenClassifier();
  const std::optional<Classes> classes = session.classes();
  ASSERT_TRUE(classes.has_value());
  EXPECT_FALSE(classes->integers);
  ASSERT_EQ(classes->names.size(), 12U);
  std::vector<float> x(12, 0.0F);
  x[9] = 4;
  auto outputs = session.Predict({{"x", Array::Float32({1, 12}, x)}});
  ASSERT_TRUE(outputs) << outputs.failure().ToString();
  const Array& label = outputs->at(classes->label);
  EXPECT_EQ(label.dtype, "int32");
  EXPECT_TRUE(label.shape.empty());
  EXPECT_EQ(classes->names[static_cast<size_t>(*static_cast<const int32_t*>(label.data.get()))],
            "label 9");
  EXPECT_EQ(outputs->at(classes->probabilities).shape, std::vector<int64_t>{12});

  auto model = Model::Load("tests/fixtures/packages/classifier_ints.mlpackage");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->outputs()[0].dtype, "int64");
  EXPECT_EQ(model->outputs()[1].dtype, "dictionary");
  EXPECT_TRUE(model->classes()->integers);
  auto other = Model::Load("tests/fixtures/packages/state.mlpackage");
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->classes().has_value());
}

TEST(FacadeSession, BoundCallsReportAndTakeNothingFromTheHeap) {
  const Session session = OpenClassifier({.threads = 1});
  std::vector<float> x(12, 0.0F), probabilities(12);
  int32_t label = -1;
  Binding binding;
  binding.BindInput("x", "float32", {1, 12}, x.data());
  binding.BindOutput("classLabel", "int32", {}, &label);
  binding.BindOutput("classLabel_probs", "float32", {12}, probabilities.data());
  CallReport report;
  for (size_t i = 0; i < 12; ++i) {
    std::fill(x.begin(), x.end(), 0.0F);
    x[i] = 3;
    ASSERT_FALSE(session.Run(binding, nullptr, &report).has_value());
    EXPECT_EQ(label, static_cast<int32_t>(i));
    EXPECT_EQ(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin(),
              label);
  }
  EXPECT_EQ(report.backend, "cpu");
  EXPECT_EQ(report.attempts, 1);
  EXPECT_FALSE(report.experimental);
  EXPECT_EQ(report.fallback_reason, "none");
  const int64_t before = test::AllocationsSoFar();
  for (int i = 0; i < 1000; ++i) {
    if (session.Run(binding).has_value()) FAIL();
  }
  EXPECT_EQ(test::AllocationsSoFar(), before);
  binding.BindOutput("classLabel", "float32", {}, &label);
  const auto failure = session.Run(binding);
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->code, "usage");
}

TEST(FacadeSession, HintsAreNamedOrRefused) {
  auto model = Model::Load("tests/fixtures/packages/classifier_strings.mlpackage");
  ASSERT_TRUE(model);
  SessionOptions options;
  options.reshape_frequency = "sometimes";
  auto session = Session::Open(*model, options);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.failure().code, "usage");
  EXPECT_NE(session.failure().message.find("choose frequent or infrequent"), std::string::npos);
}

TEST(FacadeModel, AMisspelledCatalogNameSuggestsTheRightOne) {
  const auto model = Model::Load("resnet5O");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.failure().message, "'resnet5O' is not a model");
  EXPECT_NE(model.failure().advice.find("did you mean 'resnet50'"), std::string::npos)
      << model.failure().advice;
}

}  // namespace
}  // namespace anemone
