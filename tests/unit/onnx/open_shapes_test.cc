// Import with open dimensions: the program is run at sizes other than the default.
#include <gtest/gtest.h>

#include "exec/interpreter.h"
#include "ir/verifier.h"
#include "model_builder.h"
#include "onnx/import.h"
#include "onnx/reader.h"

namespace anemone::onnx {
namespace {

using namespace testing;  // NOLINT: the builder's short names

InputSize Range(int64_t lower, int64_t upper, int64_t size = 0) {
  InputSize range(size == 0 ? lower : size);
  range.lower = lower;
  range.upper = upper;
  return range;
}

InputSize Any() {
  InputSize any(1);
  any.lower = 1;
  return any;
}

InputSize Choice(const std::vector<int64_t>& sizes) {
  InputSize choice(sizes.front());
  choice.choices = sizes;
  return choice;
}

Result<ir::Model> Open(const Message& file, const ImportOptions& options) {
  ANEMONE_ASSIGN(const Model model, ReadModel(ToBytes(file), ""));
  ANEMONE_ASSIGN(ir::Model imported, ImportModel(model, options));
  ANEMONE_TRY(ir::Verify(imported.program));
  return imported;
}

struct Ran {
  ir::Shape shape;
  std::vector<float> values;
};

// The first output for inputs of these shapes that count 0, 1, 2 ...
Ran RunCounted(const ir::Model& model, const std::vector<ir::Shape>& shapes) {
  const auto& function = *model.program.main();
  std::map<std::string, exec::Tensor> tensors;
  for (size_t i = 0; i < shapes.size(); ++i) {
    std::vector<float> values(static_cast<size_t>(*ir::ElementCount(shapes[i])));
    for (size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(k);
    tensors[function.inputs()[i]->name] =
        exec::Tensor::Copy({DType::kFp32, shapes[i], values.data()}).value();
  }
  const auto outputs = exec::Interpret(function, tensors);
  EXPECT_TRUE(outputs.ok()) << outputs.error().ToString();
  if (!outputs.ok()) return {};
  const auto view = (*outputs)[0].view();
  Ran ran{view.shape, {}};
  for (int64_t i = 0; i < view.count(); ++i) {
    ran.values.push_back(view.dtype == DType::kFp32 ? view.As<float>()[i]
                                                    : static_cast<float>(view.As<int32_t>()[i]));
  }
  return ran;
}

#define ASSERT_IMPORTED(model) ASSERT_TRUE(model.ok()) << model.error().ToString()

// The shape that a Reshape gets from Shape, Gather, Mul and Concat holds at every size.
TEST(OpenShapes, ReshapeByComputedShape) {
  const auto file = MakeModel(MakeGraph(
      {.nodes = {MakeNode("Shape", {"x"}, {"s"}), MakeNode("Gather", {"s", "zero"}, {"n"}),
                 MakeNode("Gather", {"s", "one"}, {"m"}), MakeNode("Mul", {"m", "two"}, {"mm"}),
                 MakeNode("Unsqueeze", {"n", "axis"}, {"a"}),
                 MakeNode("Unsqueeze", {"mm", "axis"}, {"b"}),
                 MakeNode("Concat", {"b", "a", "rest"}, {"shape"}, {AttrInt("axis", 0)}),
                 MakeNode("Reshape", {"x", "shape"}, {"y"})},
       .inputs = {MakeValue("x", kFloat, {"n", "m", 4})},
       .outputs = {MakeValue("y", kFloat, {})},
       .initializers = {Int64s("zero", {}, {0}), Int64s("one", {}, {1}), Int64s("two", {}, {2}),
                        Int64s("axis", {1}, {0}), Int64s("rest", {1}, {-1})}}));
  const auto model = Open(file, {.input_shapes = {{"x", {Range(1, 8), Range(1, 9), 4}}}});
  ASSERT_IMPORTED(model);
  const auto& type = model->program.main()->outputs()[0]->type;
  EXPECT_EQ(type.shape(), (ir::Shape{ir::kDynamic, ir::kDynamic, 2}));
  for (const auto& [n, m] : {std::pair{1, 1}, {3, 5}, {8, 9}}) {
    EXPECT_EQ(RunCounted(*model, {{n, m, 4}}).shape, (ir::Shape{2 * m, n, 2}));
  }
}

// As YOLOv8 counts the places of its grid: sizes that are floats for a while.
TEST(OpenShapes, SizesCastToFloatsAreSizes) {
  const auto file = MakeModel(MakeGraph(
      {.nodes = {MakeNode("Shape", {"x"}, {"s"}), MakeNode("Gather", {"s", "axis"}, {"n"}),
                 MakeNode("Cast", {"n"}, {"f"}, {AttrInt("to", kFloat)}),
                 MakeNode("Add", {"f", "one"}, {"more"}), MakeNode("Floor", {"more"}, {"end"}),
                 MakeNode("Range", {"zero", "end", "one"}, {"range"}),
                 MakeNode("Add", {"range", "half"}, {"y"}),
                 // What is no whole number any more is computed with the number itself.
                 MakeNode("Mul", {"f", "half"}, {"z"})},
       .inputs = {MakeValue("x", kFloat, {"n"})},
       .outputs = {MakeValue("y", kFloat, {}), MakeValue("z", kFloat, {})},
       .initializers = {Int64s("axis", {}, {0}), Floats("zero", {}, {0}), Floats("one", {}, {1}),
                        Floats("half", {}, {0.5f})}}));
  const auto model = Open(file, {.input_shapes = {{"x", {Range(1, 8)}}}});
  ASSERT_IMPORTED(model);
  EXPECT_EQ(RunCounted(*model, {{3}}).values, (std::vector<float>{0.5f, 1.5f, 2.5f, 3.5f}));
  EXPECT_EQ(RunCounted(*model, {{1}}).values, (std::vector<float>{0.5f, 1.5f}));
  const auto& outputs = model->program.main()->outputs();
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[1]->type.dtype(), DType::kFp32);
  // Beyond 2^24 floats skip integers.
  const auto large = Open(file, {.input_shapes = {{"x", {Range(1, int64_t{1} << 25)}}}});
  ASSERT_FALSE(large.ok());
  EXPECT_NE(large.error().ToString().find("limit: known only at run time"), std::string::npos)
      << large.error().ToString();
}

// Inputs whose dimensions have one name in the file share the size, whichever of them is given.
TEST(OpenShapes, NamesAreShared) {
  const auto file = MakeModel(
      MakeGraph({.nodes = {MakeNode("Add", {"x", "z"}, {"y"})},
                 .inputs = {MakeValue("x", kFloat, {"n", 4}), MakeValue("z", kFloat, {"n", 4})},
                 .outputs = {MakeValue("y", kFloat, {})}}));
  const auto model = Open(file, {.input_shapes = {{"z", {Range(2, 6), 4}}}});
  ASSERT_IMPORTED(model);
  for (const char* name : {"x", "z"}) {
    const ir::ArrayFeature* array = model->main()->FindInput(name)->array();
    ASSERT_NE(array, nullptr);
    EXPECT_EQ(array->shape, (ir::Shape{2, 4})) << name;
    EXPECT_EQ(array->shape_range, (std::vector<ir::SizeRange>{{2, 6}, {4, 4}})) << name;
  }
  EXPECT_EQ(RunCounted(*model, {{5, 4}, {5, 4}}).values.back(), 38);
  const auto fixed = Open(file, {.input_shapes = {{"z", {3, 4}}}});
  ASSERT_IMPORTED(fixed);
  EXPECT_EQ(fixed->program.main()->inputs()[0]->type.shape(), (ir::Shape{3, 4}));
  const auto clash = Open(file, {.input_shapes = {{"x", {Range(1, 6), 4}}, {"z", {3, 4}}}});
  ASSERT_FALSE(clash.ok());
  EXPECT_EQ(clash.error().code(), ErrorCode::kUsage);
  EXPECT_NE(clash.error().ToString().find("'n'"), std::string::npos) << clash.error().ToString();
}

// An operator that needs a number refuses; it never takes the default for it.
TEST(OpenShapes, WhatNeedsANumberNamesTheDimension) {
  const auto file = MakeModel(MakeGraph({.nodes = {MakeNode("EyeLike", {"x"}, {"y"})},
                                         .inputs = {MakeValue("x", kFloat, {"rows", 4})},
                                         .outputs = {MakeValue("y", kFloat, {})}}));
  const auto model = Open(file, {.input_shapes = {{"x", {Range(1, 8, 4), 4}}}});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
  for (const char* part : {"EyeLike", "dimension 0", "'x'", "rows", "fixed size"}) {
    EXPECT_NE(model.error().ToString().find(part), std::string::npos) << model.error().ToString();
  }
}

// '?' begins at the smallest size that the windows fit.
TEST(OpenShapes, AnySizeBeginsWhereWindowsFit) {
  const auto file = MakeModel(MakeGraph(
      {.nodes = {MakeNode("MaxPool", {"x"}, {"a"}, {AttrInts("kernel_shape", {3, 3})}),
                 MakeNode("MaxPool", {"a"}, {"y"},
                          {AttrInts("kernel_shape", {2, 2}), AttrInts("strides", {2, 2})})},
       .inputs = {MakeValue("x", kFloat, {1, 2, "h", "w"})},
       .outputs = {MakeValue("y", kFloat, {})}}));
  const auto model = Open(file, {.input_shapes = {{"x", {1, 2, Any(), Range(4, 9)}}}});
  ASSERT_IMPORTED(model);
  const ir::ArrayFeature* array = model->main()->FindInput("x")->array();
  EXPECT_EQ(array->shape_range[2], (ir::SizeRange{4, 2048}));
  EXPECT_EQ(array->shape, (ir::Shape{1, 2, 4, 4}));
  const Ran ran = RunCounted(*model, {{1, 2, 7, 9}});
  EXPECT_EQ(ran.shape, (ir::Shape{1, 2, 2, 3}));
  EXPECT_EQ(ran.values[0], 30);  // row 3, column 3
  const auto small = Open(file, {.input_shapes = {{"x", {1, 2, 8, Range(3, 9)}}}});
  ASSERT_FALSE(small.ok());
  EXPECT_NE(small.error().ToString().find("smallest size"), std::string::npos)
      << small.error().ToString();
}

TEST(OpenShapes, ChoicesAreListed) {
  const auto file = MakeModel(MakeGraph({.nodes = {MakeNode("Relu", {"x"}, {"y"})},
                                         .inputs = {MakeValue("x", kFloat, {"n", "m"})},
                                         .outputs = {MakeValue("y", kFloat, {})}}));
  const auto model = Open(file, {.input_shapes = {{"x", {Choice({4, 1}), Choice({8, 16})}}}});
  ASSERT_IMPORTED(model);
  const ir::ArrayFeature* array = model->main()->FindInput("x")->array();
  EXPECT_EQ(array->shape, (ir::Shape{4, 8}));
  EXPECT_EQ(array->enumerated, (std::vector<ir::Shape>{{4, 8}, {4, 16}, {1, 8}, {1, 16}}));
  EXPECT_TRUE(array->shape_range.empty());
  const auto mixed = Open(file, {.input_shapes = {{"x", {Choice({4, 1}), Range(1, 8)}}}});
  ASSERT_FALSE(mixed.ok());
  EXPECT_EQ(mixed.error().code(), ErrorCode::kUsage);
  std::vector<int64_t> many(129);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int64_t>(i) + 1;
  EXPECT_FALSE(Open(file, {.input_shapes = {{"x", {Choice(many), 8}}}}).ok());
}

// Before iOS18 Core ML takes lists of shapes for one input.
TEST(OpenShapes, SeveralListsNeedIos18) {
  const auto file = MakeModel(
      MakeGraph({.nodes = {MakeNode("Add", {"x", "z"}, {"y"})},
                 .inputs = {MakeValue("x", kFloat, {"n", 4}), MakeValue("z", kFloat, {"n", 4})},
                 .outputs = {MakeValue("y", kFloat, {})}}));
  const auto options = [](ir::Opset target) {
    return ImportOptions{.input_shapes = {{"x", {Choice({1, 2}), 4}}}, .target = target};
  };
  EXPECT_FALSE(Open(file, options(ir::Opset::kIOS17)).ok());
  EXPECT_TRUE(Open(file, options(ir::Opset::kIOS18)).ok());
}

// Sizes behind a Slice are clamped at every size, not at the default.
TEST(OpenShapes, SliceClamps) {
  const auto file =
      MakeModel(MakeGraph({.nodes = {MakeNode("Slice", {"x", "from", "to", "axes"}, {"y"})},
                           .inputs = {MakeValue("x", kFloat, {"n"})},
                           .outputs = {MakeValue("y", kFloat, {})},
                           .initializers = {Int64s("from", {1}, {-5}), Int64s("to", {1}, {7}),
                                            Int64s("axes", {1}, {0})}}));
  const auto model = Open(file, {.input_shapes = {{"x", {Range(1, 11)}}}});
  ASSERT_IMPORTED(model);
  for (int64_t n = 1; n <= 11; ++n) {
    const int64_t from = std::max<int64_t>(n - 5, 0), to = std::min<int64_t>(n, 7);
    const Ran ran = RunCounted(*model, {{n}});
    ASSERT_EQ(ran.shape, (ir::Shape{to - from})) << n;
    EXPECT_EQ(ran.values.front(), static_cast<float>(from)) << n;
  }
}

}  // namespace
}  // namespace anemone::onnx
