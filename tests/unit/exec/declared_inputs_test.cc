// What a description says of inputs beyond their types: shapes that are allowed, and defaults.
#include "exec/declared_inputs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "support/allocations.h"

namespace anemone::exec {
namespace {

ir::Model ModelWithInputs(const std::string& inputs) {
  auto program =
      ir::ParseText("func main<ios17>(" + inputs + ") {\n  y = relu(x = x);\n} -> (y);\n");
  EXPECT_TRUE(program.ok()) << program.status().ToString();
  auto model = ir::MakeModel(std::move(program).value());
  EXPECT_TRUE(model.ok()) << model.status().ToString();
  return std::move(model).value();
}

DeclaredInputs Of(const ir::Model& model) {
  auto declared = DeclaredInputs::Of(model, *model.program.main());
  EXPECT_TRUE(declared.ok()) << declared.status().ToString();
  return std::move(declared).value();
}

// The rule that an input `x` of this shape breaks; empty when it is allowed.
std::string Refusal(const DeclaredInputs& declared, const ir::Shape& shape) {
  const BoundInput bound{"x", {DType::kFp32, shape, nullptr}};
  const Status status = declared.CheckShapes({&bound, 1});
  if (status.ok()) return "";
  EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
  EXPECT_EQ(status.error().place(), "input 'x'");
  const std::string& message = status.error().message();
  return message.substr(0, message.find(';'));
}

TEST(DeclaredInputs, RangesAreHeld) {
  ir::Model model = ModelWithInputs("tensor<fp32, [?, ?]> x");
  auto& array = std::get<ir::ArrayFeature>(model.functions[0].inputs[0].type);
  array.shape_range = {{.lower = 3, .upper = 5}, {.lower = 2, .upper = std::nullopt}};
  const DeclaredInputs declared = Of(model);
  EXPECT_EQ(Refusal(declared, {3, 1000}), "");
  EXPECT_EQ(Refusal(declared, {6, 2}), "Size (6) of dimension (0) is not in allowed range (3..5)");
  EXPECT_EQ(Refusal(declared, {3, 1}),
            "Size (1) of dimension (1) is not in allowed range (2..inf)");
  EXPECT_EQ(Refusal(declared, {3}), "it has the shape [3]");
}

TEST(DeclaredInputs, EnumerationsAreHeld) {
  ir::Model model = ModelWithInputs("tensor<fp32, [1, ?]> x");
  auto& array = std::get<ir::ArrayFeature>(model.functions[0].inputs[0].type);
  array.shape_range.clear();
  array.shape = {1, 28};
  array.enumerated = {{1, 28}, {1, 56}};
  const DeclaredInputs declared = Of(model);
  EXPECT_EQ(Refusal(declared, {1, 56}), "");
  EXPECT_EQ(Refusal(declared, {1, 29}),
            "MultiArray Shape (1 x 29) was not in enumerated set of allowed shapes");
}

TEST(DeclaredInputs, ImagesHaveSizes) {
  ir::Model model = ModelWithInputs("tensor<fp32, [1, 3, ?, ?]> x");
  ir::ImageFeature image;
  image.size = {.width = 8, .height = 4};
  image.size_range = {.width = {.lower = 8, .upper = 16}, .height = {.lower = 4, .upper = 4}};
  model.functions[0].inputs[0].type = image;
  EXPECT_EQ(Refusal(Of(model), {1, 3, 4, 16}), "");
  EXPECT_EQ(Refusal(Of(model), {1, 3, 4, 17}), "Image width (17) is not in allowed range (8..16)");
  EXPECT_EQ(Refusal(Of(model), {1, 3, 5, 16}), "Image height (5) is not in allowed range (4..4)");
  image.size_range.reset();
  image.enumerated = {{.width = 8, .height = 4}, {.width = 9, .height = 9}};
  model.functions[0].inputs[0].type = image;
  EXPECT_EQ(Refusal(Of(model), {1, 3, 9, 9}), "");
  EXPECT_EQ(Refusal(Of(model), {1, 3, 4, 9}),
            "Image size 9 x 4 was not in enumerated set of allowed sizes");
}

TEST(DeclaredInputs, OptionalInputsHaveTheirDefault) {
  ir::Model model = ModelWithInputs("tensor<fp16, [2]> x, tensor<int32, [3]> n");
  for (ir::Feature& feature : model.functions[0].inputs) feature.optional = true;
  std::get<ir::ArrayFeature>(model.functions[0].inputs[0].type).default_value = 2.5F;
  std::get<ir::ArrayFeature>(model.functions[0].inputs[1].type).default_value = int32_t{-7};
  const DeclaredInputs declared = Of(model);
  const float given[2] = {1, 2};
  const BoundInput bound{"x", {DType::kFp32, {2}, given}};
  EXPECT_TRUE(declared.LacksDefault({&bound, 1}));
  ASSERT_EQ(declared.defaults().size(), 2U);
  const Tensor& n = declared.defaults().at("n");
  EXPECT_EQ(n.dtype(), DType::kInt32);
  ASSERT_EQ(n.shape(), (ir::Shape{3}));
  EXPECT_EQ(n.As<int32_t>()[2], -7);
  EXPECT_EQ(declared.defaults().at("x").As<float>()[1], 2.5F);
}

TEST(DeclaredInputs, DefaultsThatTheInputCannotHoldAreRefused) {
  for (const double value : {0.5, 1e20, std::nan("")}) {
    ir::Model model = ModelWithInputs("tensor<fp16, [2]> x, tensor<int32, [3]> n");
    model.functions[0].inputs[1].optional = true;
    std::get<ir::ArrayFeature>(model.functions[0].inputs[1].type).default_value = value;
    const auto declared = DeclaredInputs::Of(model, *model.program.main());
    ASSERT_FALSE(declared.ok()) << value;
    EXPECT_EQ(declared.status().error().place(), "n");
  }
}

TEST(DeclaredInputs, AnOptionalInputWithoutADefaultIsRequired) {
  ir::Model model = ModelWithInputs("tensor<fp32, [2]> x");
  model.functions[0].inputs[0].optional = true;
  EXPECT_FALSE(Of(model).LacksDefault({}));
}

TEST(DeclaredInputs, AllowedShapesCostNothing) {
  ir::Model model = ModelWithInputs("tensor<fp32, [?]> x");
  const DeclaredInputs declared = Of(model);
  const BoundInput bound{"x", {DType::kFp32, {4}, nullptr}};
  const int64_t before = test::AllocationsSoFar();
  const bool allowed =
      declared.CheckShapes({&bound, 1}).ok() && !declared.LacksDefault({&bound, 1});
  EXPECT_EQ(test::AllocationsSoFar(), before);
  EXPECT_TRUE(allowed);
}

}  // namespace
}  // namespace anemone::exec
