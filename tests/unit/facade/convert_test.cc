#include "facade/convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "exec/classifier.h"
#include "facade/convert_checked.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "support/mil_program.h"

namespace anemone::facade {
namespace {

ir::Model ModelOf(std::string_view text) {
  ir::Model model;
  model.program = test::ParseProgram(text);
  return model;
}

constexpr std::string_view kNet = R"(
  func main<ios15>(tensor<fp32, [2]> x) { y = identity(x = x); z = relu(x = y); } -> (z);
)";

TEST(ConvertTest, ProgressNamesEachPassAsItRuns) {
  ir::Model model = ModelOf(kNet);
  ConvertOptions options;
  options.compute_precision = "float16";
  std::vector<std::string> named;
  const auto progress = [&](std::string_view pass) {
    named.emplace_back(pass);
    return true;
  };
  ConvertReport report;
  ASSERT_TRUE(Convert(model, options, &report, progress).ok());
  std::set<std::string> known;
  for (const passes::Pass& pass : passes::AllPasses()) known.emplace(pass.name);
  for (const std::string& name : named) EXPECT_TRUE(known.contains(name)) << name;
  // Every pass of the report was named, in the order of the first runs.
  std::vector<std::string> first_runs;
  for (const std::string& name : named) {
    const bool seen = std::find(first_runs.begin(), first_runs.end(), name) != first_runs.end();
    if (!seen) first_runs.push_back(name);
  }
  std::vector<std::string> reported;
  for (const ConvertReport::Pass& pass : report.passes) reported.push_back(pass.name);
  EXPECT_EQ(first_runs, reported);
  EXPECT_TRUE(std::find(named.begin(), named.end(), "float16") != named.end());
}

TEST(ConvertTest, ProgressThatReturnsFalseCancelsAtThatPass) {
  ir::Model model = ModelOf(kNet);
  const auto progress = [](std::string_view pass) { return pass != "noop_elimination"; };
  const Status status = Convert(model, {}, nullptr, progress);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(status.error().place(), "pass noop_elimination");
}

ir::Model Described(std::string_view text) {
  auto program = ir::ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status().ToString();
  auto model = ir::MakeModel(std::move(*program));
  EXPECT_TRUE(model.ok());
  return std::move(*model);
}

ConvertOptions ToFloat16(std::vector<std::string> keep = {}) {
  ConvertOptions options;
  options.compute_precision = "float16";
  options.keep_float32 = std::move(keep);
  return options;
}

constexpr std::string_view kOverflowing = R"(
  func main<ios16>(tensor<fp32, [1, 64]> x) {
    t = tanh(x = x)[name = "bounded"];
    scaled = mul(x = t, y = 1000.0)[name = "scaled"];
    squared = mul(x = scaled, y = scaled)[name = "squared"];
    root = sqrt(x = squared)[name = "root"];
    y = sub(x = root, y = scaled)[name = "difference"];
  } -> (y);)";

TEST(ConvertCheckedTest, KeepsWhatOverflowsAndSaysSo) {
  ir::Model model = Described(kOverflowing);
  ConvertReport report;
  ASSERT_TRUE(ConvertChecked(model, ToFloat16(), &report).ok());
  ASSERT_TRUE(report.float16.has_value());
  EXPECT_EQ(report.float16->inputs, "4 random inputs");
  EXPECT_TRUE(std::isinf(*report.float16->error_plain));
  EXPECT_LE(*report.float16->error, 1e-2);
  const auto& kept = report.float16->keep_float32;
  EXPECT_NE(std::ranges::find(kept, "squared"), kept.end());
  ASSERT_EQ(model.notes.size(), 1U);
  EXPECT_NE(model.notes[0].find("in float32 ("), std::string::npos) << model.notes[0];
}

TEST(ConvertCheckedTest, WhatIsNotMendedIsNotWritten) {
  // A pattern is the caller's choice: nothing else is kept, and the result is still checked.
  ir::Model model = Described(kOverflowing);
  const Status status = ConvertChecked(model, ToFloat16({"bounded"}));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(status.error().message().find("the output 'y'"), std::string::npos);
  EXPECT_NE(status.error().advice().find("--keep-float32 none"), std::string::npos);
  ir::Model both = Described(kOverflowing);
  EXPECT_TRUE(ConvertChecked(both, ToFloat16({"bounded", "auto"})).ok());
  ir::Model unchecked = Described(kOverflowing);
  ConvertReport report;
  EXPECT_TRUE(ConvertChecked(unchecked, ToFloat16({"none"}), &report).ok());
  EXPECT_FALSE(report.float16.has_value());
  EXPECT_TRUE(unchecked.notes.empty());
}

TEST(ConvertCheckedTest, RefusesWhatMakesNoSense) {
  ir::Model model = Described(kOverflowing);
  EXPECT_EQ(ConvertChecked(model, ToFloat16({"none", "bounded"})).error().code(),
            ErrorCode::kUsage);
  ir::Model other = Described(kOverflowing);
  const Status status = ConvertChecked(other, ToFloat16({"squarde"}));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
  EXPECT_NE(status.error().advice().find("'squared'"), std::string::npos)
      << status.error().advice();
}

TEST(ConvertCheckedTest, AModelThatIsTooLargeIsNotRunAndThatIsSaid) {
  ir::Model model = Described(R"(
    func main<ios16>(tensor<fp32, [1, 4096, 4096]> x) {
      y = matmul(x = x, y = x);
    } -> (y);)");
  ConvertReport report;
  ASSERT_TRUE(ConvertChecked(model, ToFloat16(), &report).ok());
  ASSERT_TRUE(report.float16.has_value());
  EXPECT_NE(report.float16->skipped.find("137 GFLOP"), std::string::npos)
      << report.float16->skipped;
  EXPECT_FALSE(report.float16->error.has_value());
  ASSERT_EQ(model.notes.size(), 1U);
  EXPECT_NE(model.notes[0].find("--check-inputs"), std::string::npos);
}

// --- Image inputs and labels.

constexpr std::string_view kImageNet = R"(
  func main<ios15>(tensor<fp32, [1, 3, 4, 4]> image) {
    a = conv(x = image, weight = tensor<fp32, [5, 3, 3, 3]>(seed 1), pad_type = "custom", pad = [1, 1, 1, 1]);
    b = reduce_mean(x = a, axes = [2, 3], keep_dims = false);
    scores = softmax(x = b, axis = 1);
  } -> (scores);)";

ConvertOptions ImageOptions() {
  ConvertOptions options;
  options.image_input = {"image"};
  options.scale = 1.0 / 255;
  options.mean = {0.485, 0.456, 0.406};
  options.deviation = {0.229, 0.224, 0.225};
  return options;
}

std::string TypesOf(const ir::Model& model) {
  std::string types;
  for (const auto& operation : model.program.main()->block->operations())
    if (!operation->is_const()) types += operation->type() + " ";
  return types;
}

TEST(ImageInputTest, TheDeviationFoldsAndTheMeanStaysBeforePadding) {
  ir::Model model = Described(kImageNet);
  ASSERT_TRUE(Convert(model, ImageOptions()).ok());
  EXPECT_EQ(TypesOf(model), "sub conv reduce_mean softmax ");
  const ir::Feature* feature = model.functions[0].FindInput("image");
  ASSERT_NE(feature->image(), nullptr);
  EXPECT_EQ(feature->image()->size, (ir::ImageFeature::Size{4, 4}));
  EXPECT_EQ(feature->image()->color_space, ir::ImageFeature::ColorSpace::kRgb);
}

TEST(ImageInputTest, ChannelsThatComeLastTurn) {
  ir::Model model = Described(R"(
    func main<ios15>(tensor<fp32, [1, 4, 6, 1]> image) { y = square(x = image); } -> (y);)");
  ConvertOptions options;
  options.image_input = {"image"};
  options.color = "GRAY";
  ASSERT_TRUE(Convert(model, options).ok());
  // One channel moves without any element moving.
  EXPECT_EQ(TypesOf(model), "reshape square ");
  EXPECT_EQ(model.program.main()->inputs()[0]->type.shape(), (ir::Shape{1, 1, 4, 6}));
  EXPECT_EQ(model.functions[0].FindInput("image")->image()->size, (ir::ImageFeature::Size{6, 4}));
}

TEST(ImageInputTest, WhatIsNotSaidInFullIsRefused) {
  const auto refused = [](const ConvertOptions& options) {
    ir::Model model = Described(kImageNet);
    const Status status = Convert(model, options);
    EXPECT_FALSE(status.ok());
    return status.ok() ? std::string() : status.error().ToString();
  };
  ConvertOptions options = ImageOptions();
  options.scale.reset();
  EXPECT_NE(refused(options).find("--scale 1"), std::string::npos);
  options = ImageOptions();
  options.mean = {1, 2};
  EXPECT_NE(refused(options).find("2 numbers for 3 channels"), std::string::npos);
  options = ImageOptions();
  options.color = "GRAY";
  EXPECT_NE(refused(options).find("[1, 1, height, width]"), std::string::npos);
  options = ImageOptions();
  options.image_input = {"imgae"};
  EXPECT_NE(refused(options).find("did you mean 'image'"), std::string::npos);
  options = ImageOptions();
  options.image_input = {};
  EXPECT_NE(refused(options).find("--image-input"), std::string::npos);
}

class LabelsTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = testing::TempDir() + "anemone_labels_" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  // Of the conversion with this file.
  Result<ir::Model> Labeled(const std::string& path, std::string_view text = kImageNet) {
    ir::Model model = Described(text);
    ConvertOptions options;
    options.labels = path;
    ANEMONE_TRY(Convert(model, options));
    return model;
  }
};

TEST_F(LabelsTest, MakeAClassifier) {
  const auto model = Labeled(Write("five.txt", "ant\nbee\r\ncat\ndog\nemu\n"));
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  const auto& description = model->functions[0];
  EXPECT_EQ(description.predicted_feature_name, "classLabel");
  EXPECT_EQ(description.predicted_probabilities_name, "classLabel_probs");
  ASSERT_EQ(description.outputs.size(), 2U);
  const auto classes = exec::ClassesOf(*model->program.main());
  ASSERT_TRUE(classes.has_value());
  EXPECT_EQ(classes->names, (std::vector<std::string>{"ant", "bee", "cat", "dog", "emu"}));
  EXPECT_TRUE(model->notes.empty());
}

TEST_F(LabelsTest, MayBeIntegersAndStandTwice) {
  const auto integers = Labeled(Write("five.json", "[10, 20, 30, 40, 50]"));
  ASSERT_TRUE(integers.ok()) << integers.error().ToString();
  EXPECT_TRUE(exec::ClassesOf(*integers->program.main())->integers);
  const auto twice = Labeled(Write("twice.txt", "ant\nbee\nant\ndog\nemu"));
  ASSERT_TRUE(twice.ok());
  ASSERT_EQ(twice->notes.size(), 1U);
  EXPECT_NE(twice->notes[0].find("'ant' stands for several classes"), std::string::npos);
}

TEST_F(LabelsTest, MustFitTheOutputAndBeLabels) {
  const auto four = Labeled(Write("four.txt", "ant\nbee\ncat\ndog\n"));
  ASSERT_FALSE(four.ok());
  EXPECT_NE(four.error().message().find("there are 4 labels"), std::string::npos);
  EXPECT_FALSE(Labeled(Write("empty.txt", "")).ok());
  EXPECT_FALSE(Labeled(Write("gap.txt", "ant\n\ncat\ndog\nemu\n")).ok());
  EXPECT_FALSE(Labeled(Write("bytes.txt", "a\xFF\nbee\ncat\ndog\nemu\n")).ok());
  EXPECT_FALSE(Labeled(Write("mixed.json", R"(["ant", 2, 3, 4, 5])")).ok());
  EXPECT_FALSE(Labeled(testing::TempDir() + "anemone_labels_none.txt").ok());
}

TEST_F(LabelsTest, ScoresThatAreNoProbabilitiesAreNamed) {
  const auto model = Labeled(Write("three.txt", "ant\nbee\ncat\n"), R"(
    func main<ios15>(tensor<fp32, [1, 4]> x) {
      y = linear(x = x, weight = tensor<fp32, [3, 4]>(seed 1));
    } -> (y);)");
  ASSERT_TRUE(model.ok());
  ASSERT_EQ(model->notes.size(), 1U);
  EXPECT_NE(model->notes[0].find("not probabilities"), std::string::npos);
}

}  // namespace
}  // namespace anemone::facade
