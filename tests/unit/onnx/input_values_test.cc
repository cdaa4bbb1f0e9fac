// Inputs that the caller fixes (ImportOptions::input_values).
#include <gtest/gtest.h>

#include "ir/verifier.h"
#include "model_builder.h"
#include "onnx/import.h"
#include "onnx/reader.h"

namespace anemone::onnx {
namespace {

using namespace testing;  // NOLINT: the builder's short names

Result<ir::Model> ImportFixed(const Message& file, std::map<std::string, Constant> values) {
  ANEMONE_ASSIGN(const Model model, ReadModel(ToBytes(file), ""));
  ImportOptions options;
  options.input_values = std::move(values);
  ANEMONE_ASSIGN(ir::Model imported, ImportModel(model, options));
  ANEMONE_TRY(ir::Verify(imported.program));
  return imported;
}

// A branch for a rate of 16000, and another, as speech detectors have them.
Message TwoRates(const std::vector<TestDim>& rate = {}) {
  const auto branch = [](std::string_view op) {
    return MakeGraph({.nodes = {MakeNode(op, {"x"}, {"branch"})},
                      .inputs = {},
                      .outputs = {MakeValue("branch", kFloat, {})}});
  };
  return MakeModel(
      MakeGraph({.nodes = {MakeNode("Equal", {"sr", "known"}, {"fast"}),
                           MakeNode("If", {"fast"}, {"y"},
                                    {AttrGraph("then_branch", branch("Tanh")),
                                     AttrGraph("else_branch", branch("Relu"))})},
                 .inputs = {MakeValue("x", kFloat, {2, 3}), MakeValue("sr", kInt64, rate)},
                 .outputs = {MakeValue("y", kFloat, {})},
                 .initializers = {Int64s("known", {}, {16000})}}));
}

TEST(OnnxInputValues, ABranchIsChosenAndTheInputIsGone) {
  for (const auto& [rate, op] : {std::pair<int64_t, std::string>{16000, "tanh"}, {8000, "relu"}}) {
    const auto model = ImportFixed(TwoRates(), {{"sr", Constant::Int64s({rate}, {})}});
    ASSERT_TRUE(model.ok()) << model.error().ToString();
    EXPECT_EQ(Ops(*model), op);
    ASSERT_EQ(model->program.main()->inputs().size(), 1u);
    EXPECT_EQ(model->program.main()->inputs()[0]->name, "x");
    ASSERT_EQ(model->notes.size(), 1u);
    EXPECT_NE(model->notes[0].find("'sr' is fixed"), std::string::npos) << model->notes[0];
  }
}

TEST(OnnxInputValues, AScalarFillsTheShape) {
  const auto model = ImportFixed(
      MakeModel(MakeGraph({.nodes = {MakeNode("Add", {"x", "z"}, {"y"})},
                           .inputs = {MakeValue("x", kFloat, {2, 2}), MakeValue("z", kFloat, {2})},
                           .outputs = {MakeValue("y", kFloat, {})}})),
      {{"z", Constant::FromDoubles(DType::kFp64, {0.5}, {})}});
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  const auto* add = model->program.main()->outputs()[0]->producer;
  EXPECT_EQ(add->Input("y")->literal->AsFloats(), (std::vector<float>{0.5f, 0.5f}));
}

TEST(OnnxInputValues, WhatDoesNotFitIsRefused) {
  const struct {
    std::string name;
    Constant value;
    std::string text;
  } wrong[] = {
      {"rate", Constant::Int64s({1}, {}), "'rate', which is not an input; the inputs are x, sr"},
      {"sr", Constant::FromDoubles(DType::kFp64, {0.5}, {}), "not a whole number"},
      {"sr", Constant::Int64s({1, 2}), "has the shape [2]"},
      {"x", Constant::Int64s({1, 2, 3}), "has the shape [3]"},
  };
  for (const auto& test : wrong) {
    const auto model = ImportFixed(TwoRates(), {{test.name, test.value}});
    ASSERT_FALSE(model.ok());
    EXPECT_EQ(model.error().code(), ErrorCode::kUsage) << model.error().ToString();
    EXPECT_NE(model.error().ToString().find(test.text), std::string::npos)
        << model.error().ToString();
  }
}

}  // namespace
}  // namespace anemone::onnx
