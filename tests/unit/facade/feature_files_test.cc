// Core ML files that are not programs, as the tools open and run them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "anemone/tools.h"
#include "base/json.h"
#include "facade/predictor_source.h"
#include "format/proto/model.pb.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;
namespace proto = format::proto;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const fs::path kPipeline =
    fs::path(test::kSourceDir) / "tests/fixtures/compiled/weighted_pipeline.mlmodelc";

// ArrayDataType of the specification.
constexpr int32_t kFloat32 = 65568;
constexpr int32_t kFloat64 = 65600;

// The first values of an output of a run.
std::vector<double> ValuesOf(const std::string& json, const std::string& output) {
  const auto document = ParseJson(json);
  std::vector<double> values;
  if (!document.ok()) return values;
  for (const Json& one : (*document)["outputs"]) {
    if (one["name"].text() != output) continue;
    for (const Json& value : one["first_values"]) values.push_back(value.number());
  }
  return values;
}

RunOptions Given(const std::string& model, const std::string& input) {
  RunOptions options;
  options.model = model;
  options.inputs = {input};
  return options;
}

// y = 2 x, of doubles or of arrays.
proto::Model Scaler(const std::string& input, const std::string& output) {
  proto::Model model;
  model.set_specificationversion(1);
  for (const bool in : {true, false}) {
    auto* feature =
        in ? model.mutable_description()->add_input() : model.mutable_description()->add_output();
    feature->set_name(in ? input : output);
    auto* array = feature->mutable_type()->mutable_multiarraytype();
    array->set_datatype(kFloat64);
    array->add_shape(4);
  }
  model.mutable_scaler()->add_scalevalue(2);
  model.mutable_scaler()->add_shiftvalue(0);
  return model;
}

TEST(FeatureFiles, ACompiledPipelineRuns) {
  const auto run =
      anemone::Run(Given(kPipeline.string(), "input=[1.0003, -1.0003, 1.0007, -1.0007]"));
  ASSERT_TRUE(run) << run.failure().ToString();
  // 1.2503 and its like round to half precision between the two additions.
  EXPECT_THAT(ValuesOf(run->json, "rounded"),
              ElementsAre(1.25, -1.25, 1.5009765625, -1.5009765625));
  EXPECT_THAT(ValuesOf(run->json, "result"), ElementsAre(1.5, -1.5, 2.0009765625, -2.0009765625));
}

TEST(FeatureFiles, ALinkLeadsToACompiledModel) {
  const test::ScratchFolder scratch;
  fs::copy(kPipeline, scratch / "linked.mlmodelc", fs::copy_options::recursive);
  proto::Model model = Scaler("input", "result");
  model.mutable_description()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_multiarraytype()
      ->set_datatype(kFloat32);
  model.clear_scaler();
  auto* link = model.mutable_linkedmodel()->mutable_linkedmodelfile();
  link->mutable_linkedmodelfilename()->set_defaultvalue("linked.mlmodelc");
  test::WriteText(scratch / "link.mlmodel", model.SerializeAsString());
  const auto run = anemone::Run(Given(scratch / "link.mlmodel", "input=[1, 2, 3, 4]"));
  ASSERT_TRUE(run) << run.failure().ToString();
  EXPECT_THAT(ValuesOf(run->json, "result"), ElementsAre(1.5, 1.5, 4, 3));
}

TEST(FeatureFiles, RandomInputsAreForAllTypes) {
  const test::ScratchFolder scratch;
  test::WriteText(scratch / "scaler.mlmodel", Scaler("x", "y").SerializeAsString());
  RunOptions options;
  options.model = scratch / "scaler.mlmodel";
  options.random_inputs = true;
  const auto run = anemone::Run(options);
  ASSERT_TRUE(run) << run.failure().ToString();
  const auto again = anemone::Run(options);
  ASSERT_TRUE(again);
  EXPECT_EQ(ValuesOf(run->json, "y"), ValuesOf(again->json, "y"));
  EXPECT_EQ(ValuesOf(run->json, "y").size(), 4u);

  proto::Model text;
  text.set_specificationversion(1);
  text.mutable_description()->add_input()->set_name("word");
  text.mutable_description()->mutable_input(0)->mutable_type()->mutable_stringtype();
  *text.mutable_description()->add_output() = text.description().input(0);
  text.mutable_identity();
  test::WriteText(scratch / "text.mlmodel", text.SerializeAsString());
  options.model = scratch / "text.mlmodel";
  const auto refused = anemone::Run(options);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.failure().ToString(), HasSubstr("input word: no random value is a text"));
}

TEST(FeatureFiles, AChosenShapeIsNotIgnored) {
  RunOptions options = Given(kPipeline.string(), "input=[1, 2, 3, 4]");
  options.input_shapes = {{"input", {4}}};
  const auto run = anemone::Run(options);
  ASSERT_FALSE(run);
  EXPECT_THAT(run.failure().ToString(), HasSubstr("a chosen shape says nothing"));
}

TEST(FeatureFiles, AFileIsReadOnce) {
  const test::ScratchFolder scratch;
  const fs::path package =
      fs::path(test::kSourceDir) / "tests/fixtures/packages/array_range.mlpackage";
  fs::copy(package, scratch / "array.mlpackage", fs::copy_options::recursive);
  ModelSource source{.model = scratch / "array.mlpackage"};
  auto opened = OpenModelFile(source.model);
  ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  ASSERT_NE(*opened, nullptr);
  EXPECT_FALSE(IsFeatureModel(opened->get()));
  source.file = std::move(*opened);
  fs::remove_all(source.model);
  const auto model = LoadModel(source);
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(model->name, "array");
  EXPECT_EQ(model->origin, "mlpackage");
}

}  // namespace
}  // namespace anemone::facade
