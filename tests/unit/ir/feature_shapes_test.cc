// The shapes that an interface allows, and what a refusal says.
#include "ir/feature_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/mil_program.h"

namespace anemone::ir {
namespace {

using ::testing::HasSubstr;
using ColorSpace = ImageFeature::ColorSpace;

ArrayFeature ArrayOf(Shape shape, std::vector<SizeRange> ranges = {},
                     std::vector<Shape> enumerated = {}) {
  ArrayFeature array;
  array.shape = std::move(shape);
  array.shape_range = std::move(ranges);
  array.enumerated = std::move(enumerated);
  return array;
}

template <typename Type>
Feature Named(Type type) {
  Feature feature;
  feature.name = "x";
  feature.type = std::move(type);
  return feature;
}

// 8 pixels wide, 6 high.
Feature Image(ColorSpace color_space = ColorSpace::kRgb,
              std::vector<ImageFeature::Size> enumerated = {},
              std::optional<ImageFeature::Range> range = {}) {
  ImageFeature image;
  image.color_space = color_space;
  image.size = {8, 6};
  image.enumerated = std::move(enumerated);
  image.size_range = std::move(range);
  return Named(std::move(image));
}

bool Allows(const Feature& feature, const Shape& shape) {
  return CheckFeatureShape(feature, shape).ok();
}

std::string Refusal(const Feature& feature, const Shape& shape) {
  const Status status = CheckFeatureShape(feature, shape);
  EXPECT_FALSE(status.ok());
  if (status.ok()) return "";
  EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
  return status.error().ToString();
}

TEST(FeatureShapesTest, AnArrayOfOneShape) {
  const Feature fixed = Named(ArrayOf({1, 4}));
  EXPECT_TRUE(Allows(fixed, {1, 4}));
  EXPECT_FALSE(Allows(fixed, {4}));
  EXPECT_THAT(Refusal(fixed, {1, 5}),
              HasSubstr("input 'x': it has the shape [1, 5]; the model takes [1, 4]"));
  EXPECT_TRUE(Allows(Named(ArrayOf({})), {7, 7, 7}));  // not declared
  EXPECT_EQ(DescribeFeatureShapes(fixed), "[1, 4]");
}

TEST(FeatureShapesTest, AnArrayOfRanges) {
  const Feature ranges = Named(ArrayOf({1, 4}, {{1, 1}, {2, 6}, {3, {}}}));
  EXPECT_TRUE(Allows(ranges, {1, 2, 3}));
  EXPECT_TRUE(Allows(ranges, {1, 6, 1000000}));
  EXPECT_FALSE(Allows(ranges, {1, 4}));  // another rank, be it that of the default
  EXPECT_THAT(Refusal(ranges, {1, 7, 3}),
              HasSubstr("Size (7) of dimension (1) is not in allowed range (2..6)"));
  EXPECT_THAT(Refusal(ranges, {1, 2, 2}),
              HasSubstr("Size (2) of dimension (2) is not in allowed range (3..inf)"));
  EXPECT_EQ(DescribeFeatureShapes(ranges), "[1, 2 to 6, 3 or more]");
}

TEST(FeatureShapesTest, AnArrayOfEnumeratedShapes) {
  const Feature listed = Named(ArrayOf({1, 4}, {}, {{1, 2}, {2, 2}}));
  EXPECT_TRUE(Allows(listed, {2, 2}));
  EXPECT_TRUE(Allows(listed, {1, 4}));  // the default belongs to them
  EXPECT_THAT(
      Refusal(listed, {2, 4}),
      HasSubstr("Shape (2 x 4) was not in enumerated set of allowed shapes; the model takes "
                "one of [1, 2], [2, 2]"));
}

TEST(FeatureShapesTest, Images) {
  const Feature fixed = Image();
  EXPECT_TRUE(Allows(fixed, {1, 3, 6, 8}));
  EXPECT_TRUE(Allows(fixed, {3, 6, 8}));
  EXPECT_FALSE(Allows(fixed, {1, 3, 8, 6}));
  EXPECT_FALSE(Allows(fixed, {1, 1, 6, 8}));
  EXPECT_FALSE(Allows(fixed, {6, 8}));
  EXPECT_TRUE(Allows(Image(ColorSpace::kGrayscaleFp16), {1, 1, 6, 8}));
  const Feature listed = Image(ColorSpace::kRgb, {{4, 4}});
  EXPECT_TRUE(Allows(listed, {1, 3, 4, 4}));
  EXPECT_TRUE(Allows(listed, {1, 3, 6, 8}));
  EXPECT_THAT(Refusal(listed, {1, 3, 4, 5}),
              HasSubstr("Image size 5 x 4 was not in enumerated set of allowed sizes"));
  const Feature ranges = Image(ColorSpace::kBgr, {}, ImageFeature::Range{{4, 9}, {2, {}}});
  EXPECT_TRUE(Allows(ranges, {1, 3, 500, 9}));
  EXPECT_THAT(Refusal(ranges, {1, 3, 2, 3}), HasSubstr("width (3) is not in allowed range (4..9)"));
  EXPECT_THAT(Refusal(ranges, {1, 3, 1, 4}),
              HasSubstr("height (1) is not in allowed range (2..inf"));
  EXPECT_EQ(DescribeFeatureShapes(ranges),
            "[1, 3, height, width] of width 4 to 9, height 2 or more");
}

TEST(FeatureShapesTest, WhatIsNoTensorIsNotJudged) {
  const Feature text = Named(ScalarFeature::kString);
  EXPECT_TRUE(Allows(text, {1, 2}));
  EXPECT_EQ(DescribeFeatureShapes(text), "no tensor");
}

// A model whose input may have any size in its second dimension.
Model Flexible() {
  auto model = MakeModel(test::ParseProgram(R"(program(1.0)
{
  func main<ios17>(tensor<fp32, [1, ?]> x) {
    y = relu(x = x);
  } -> (y);
})"));
  EXPECT_TRUE(model.ok()) << model.status().ToString();
  return std::move(model).value();
}

ArrayFeature& InputOf(Model& model) {
  return std::get<ArrayFeature>(model.functions[0].inputs[0].type);
}

TEST(FeatureShapesTest, TheDefaultIsTheDeclaredOne) {
  Model model = Flexible();
  const Function& function = *model.program.main();
  const Value& input = *function.inputs()[0];
  InputOf(model) = ArrayOf({1, 4});
  EXPECT_EQ(*DefaultInputShape(model, function, input), (Shape{1, 4}));
  InputOf(model) = ArrayOf({}, {}, {{1, 7}, {1, 4}});
  EXPECT_EQ(*DefaultInputShape(model, function, input), (Shape{1, 7}));
  InputOf(model) = ArrayOf({}, {{1, 1}, {0, 8}});
  EXPECT_EQ(*DefaultInputShape(model, function, input), (Shape{1, 1}));
  InputOf(model) = ArrayOf({2, 4});  // which the program cannot take
  EXPECT_EQ(DefaultInputShape(model, function, input).error().code(), ErrorCode::kUsage);
  InputOf(model) = {};
  EXPECT_THAT(DefaultInputShape(model, function, input).error().ToString(),
              HasSubstr("declares no default shape"));
}

TEST(FeatureShapesTest, ChoosingAShapeMakesItTheDefault) {
  Model model = Flexible();
  InputOf(model) = ArrayOf({1, 4}, {{1, 1}, {2, 8}});
  ASSERT_TRUE(ChooseInputShapes({{"x", {1, 8}}}, &model).ok());
  EXPECT_EQ(InputOf(model).shape, (Shape{1, 8}));
  EXPECT_EQ(InputOf(model).shape_range.size(), 2u);
  EXPECT_THAT(ChooseInputShapes({{"x", {1, 9}}}, &model).error().ToString(),
              HasSubstr("is not in allowed range (2..8)"));
  EXPECT_EQ(InputOf(model).shape, (Shape{1, 8}));
  EXPECT_THAT(ChooseInputShapes({{"z", {1, 4}}}, &model).error().ToString(),
              HasSubstr("the model has no input 'z'"));
  InputOf(model) = ArrayOf({}, {{1, 2}, {2, 8}});
  EXPECT_THAT(ChooseInputShapes({{"x", {2, 4}}}, &model).error().ToString(),
              HasSubstr("which [2, 4] does not fit"));
}

}  // namespace
}  // namespace anemone::ir
