// Lowerings that the caller gives in MIL text (ImportOptions::lowerings).
#include <gtest/gtest.h>

#include "ir/verifier.h"
#include "model_builder.h"
#include "onnx/import.h"
#include "onnx/reader.h"

namespace anemone::onnx {
namespace {

using namespace testing;  // NOLINT: the builder's short names

Result<ir::Model> ImportLowered(const Message& node, std::string_view text) {
  const Message file = MakeModel(MakeGraph({.nodes = {node},
                                            .inputs = {MakeValue("x", kFloat, {2, 3})},
                                            .outputs = {MakeValue("y", kFloat, {})},
                                            .initializers = {Floats("w", {3}, {1, 2, 3})}}));
  ANEMONE_ASSIGN(const Model model, ReadModel(ToBytes(file), ""));
  ImportOptions options;
  ANEMONE_ASSIGN(options.lowerings, ir::ParseTemplates(text));
  ANEMONE_ASSIGN(ir::Model imported, ImportModel(model, options));
  ANEMONE_TRY(ir::Verify(imported.program));
  return imported;
}

constexpr std::string_view kSwoosh = R"(
// A comment.
lower Swoosh(x, w, alpha = 0.5, axis = ?) {
  a = mul(x = x, y = alpha);
  b = add(x = a, y = w);
  y = softmax(x = b, axis = axis);
} -> (y);)";

TEST(OnnxLowerings, AnUnknownOperatorBecomesWhatTheTextSays) {
  const auto model = ImportLowered(
      MakeNode("Swoosh", {"x", "w"}, {"y"}, {AttrFloat("alpha", 2.0f), AttrInt("axis", -1)}),
      kSwoosh);
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(Ops(*model), "mul add softmax");
  const ir::Operation* softmax = model->program.main()->outputs()[0]->producer;
  EXPECT_EQ(softmax->Input("axis")->literal->AsInt(), -1);
  const ir::Operation* sum = softmax->Input("x")->producer;
  EXPECT_EQ(sum->Input("y")->literal->AsFloats(), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(sum->Input("x")->producer->Input("y")->literal->AsDouble(), 2.0);
}

TEST(OnnxLowerings, ATemplateComesBeforeTheImportersOwn) {
  const auto model = ImportLowered(MakeNode("Tanh", {"x"}, {"y"}),
                                   "lower Tanh(x) { y = sigmoid(x = x); } -> (y);");
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(Ops(*model), "sigmoid");
}

TEST(OnnxLowerings, OneThatIsNotUsedIsTold) {
  const auto model = ImportLowered(MakeNode("Tanh", {"x"}, {"y"}), kSwoosh);
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  ASSERT_EQ(model->notes.size(), 1u);
  EXPECT_NE(model->notes[0].find("no node is a Swoosh"), std::string::npos) << model->notes[0];
}

TEST(OnnxLowerings, WhatCannotBeIsRefused) {
  const auto node = MakeNode("Swoosh", {"x", "w"}, {"y"});
  const struct {
    std::string_view text, error;
  } wrong[] = {
      {kSwoosh, "no attribute 'axis'"},
      {"lower Swoosh(x) { y = tanh(x = x); } -> (y);", "more inputs than the lowering's 1"},
      {"lower Swoosh(x, w) { y = tanh(x = z); } -> (y);", "'z' is not defined here"},
      {"\nlower Swoosh(x, w) {\n  y = tanh(z = x); } -> (y);", "tanh"},
      {"lower Swoosh(x, w) { y = tahn(x = x); } -> (y);", "tahn"},
      {"lower Swoosh(x, w) { y = tanh(x = x); -> (y);", "has no end"},
      {"raise Swoosh(x, w) { y = tanh(x = x); } -> (y);", "lower"},
  };
  for (const auto& test : wrong) {
    const auto model = ImportLowered(node, test.text);
    ASSERT_FALSE(model.ok()) << test.text;
    EXPECT_NE(model.error().ToString().find(test.error), std::string::npos)
        << model.error().ToString();
  }
}

}  // namespace
}  // namespace anemone::onnx
