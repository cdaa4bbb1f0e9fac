// Compiled pipelines: read as the pipeline that they were compiled from, each model with its own weight
// files, and written as Apple's compiler wrote them; damaged ones are refused by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "format/compiled_comparison.h"
#include "format/compiled_data.h"
#include "format/compiled_reader.h"
#include "format/compiled_writer.h"
#include "format/package.h"
#include "format/program_codec.h"
#include "support/mutations.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;
using test::ReadText;
using test::ScratchFolder;
using test::WriteText;
using ::testing::HasSubstr;

const fs::path kFixture =
    fs::path(test::kSourceDir) / "tests/fixtures/compiled/weighted_pipeline.mlmodelc";

// A copy of the fixture to be damaged.
class CompiledPipeline : public ::testing::Test {
 protected:
  CompiledPipeline() { fs::copy(kFixture, folder_, fs::copy_options::recursive); }

  std::string ErrorOf() const {
    const auto file = ModelFile::Open(folder_);
    return file.ok() ? "" : file.error().ToString();
  }

  ScratchFolder scratch_;
  std::string folder_ = scratch_ / "pipeline.mlmodelc";
};

TEST_F(CompiledPipeline, EachModelHasItsOwnFolder) {
  const auto file = ModelFile::Open(kFixture.string());
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  EXPECT_EQ(file->type_name(), "pipeline");
  EXPECT_EQ(file->spec_version(), 9);
  const proto::Pipeline& pipeline = file->message().pipeline();
  ASSERT_EQ(pipeline.models_size(), 2);
  EXPECT_EQ(pipeline.names(0), "stage0");
  EXPECT_EQ(pipeline.names(1), "stage1");
  for (int i = 0; i < 2; ++i) {
    const ModelFile part = file->Part(pipeline.models(i), pipeline.names(i));
    EXPECT_EQ(part.folder(), (kFixture / ("model" + std::to_string(i))).string());
    const auto model = DecodeProgramModel(part);  // reads the weight file
    ASSERT_TRUE(model.ok()) << model.error().ToString();
  }
  const auto interface = DecodeInterface(*file);
  ASSERT_TRUE(interface.ok());
  EXPECT_EQ(interface->function.outputs.size(), 2u);
}

TEST_F(CompiledPipeline, IsNoProgram) {
  const auto model = ReadModel(kFixture.string());
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(model.error().ToString(), HasSubstr("the model is a pipeline"));
}

TEST_F(CompiledPipeline, AMissingModelIsNamed) {
  fs::remove_all(fs::path(folder_) / "model1");
  EXPECT_THAT(ErrorOf(), HasSubstr("declares 2 models, but model1 is no compiled model"));
}

TEST_F(CompiledPipeline, AMissingTextIsNamed) {
  fs::remove(fs::path(folder_) / "model1/model.mil");
  EXPECT_THAT(ErrorOf(), HasSubstr("model1: the compiled program has no model.mil"));
}

TEST_F(CompiledPipeline, AFalseCountEndsAtTheFolders) {
  const std::string path = folder_ + "/coremldata.bin";
  std::string data = ReadText(path);
  data.replace(data.size() - 16, 8, 8, '\xFF');
  WriteText(path, data);
  EXPECT_THAT(ErrorOf(), HasSubstr("but model2 is no compiled model"));
  data.resize(data.size() - 12);
  WriteText(path, data);
  EXPECT_THAT(ErrorOf(), HasSubstr("the file ends within the number of models"));
}

TEST_F(CompiledPipeline, FalseNamesEndWithTheFile) {
  const std::string path = folder_ + "/modelNames/coremldata.bin";
  std::string names = ReadText(path);
  names.replace(0, 8, 8, '\xFF');
  WriteText(path, names);
  EXPECT_THAT(ErrorOf(), HasSubstr("the file ends within a model's name"));
  names.replace(8, 8, 8, '\xFF');
  WriteText(path, names);
  EXPECT_THAT(ErrorOf(), HasSubstr("are left in the file"));
}

TEST_F(CompiledPipeline, AFolderInItselfHasAnEnd) {
  fs::remove_all(fs::path(folder_) / "model0");
  fs::create_directory_symlink(".", fs::path(folder_) / "model0");
  EXPECT_THAT(ErrorOf(), HasSubstr("more than 16 deep"));
}

TEST_F(CompiledPipeline, ATypeThatIsNotReadIsNamed) {
  const std::string path = folder_ + "/model1/coremldata.bin";
  std::string data = ReadText(path);
  const uint32_t type = proto::Model::kGlmRegressorFieldNumber;
  data.replace(0, 4, reinterpret_cast<const char*>(&type), 4);
  WriteText(path, data);
  EXPECT_THAT(ErrorOf(), HasSubstr("model1: the folder is a compiled model of type glmRegressor"));
}

TEST_F(CompiledPipeline, DamagedFilesAreRefusedOrRead) {
  size_t read = 0, refused = 0;
  for (const char* name : {"coremldata.bin", "modelNames/coremldata.bin", "model0/coremldata.bin",
                           "model1/model.mil"}) {
    const std::string path = folder_ + "/" + name;
    const std::string good = ReadText(path);
    test::ForEachMutation(std::as_bytes(std::span(good.data(), good.size())),
                          {.truncations = 30, .bit_flips = 100, .overwrites = 50},
                          [&](const std::vector<std::byte>& bad) {
                            WriteText(path,
                                      {reinterpret_cast<const char*>(bad.data()), bad.size()});
                            const auto file = ModelFile::Open(folder_);
                            ++(file.ok() && DecodeInterface(*file).ok() ? read : refused);
                          });
    WriteText(path, good);
  }
  EXPECT_GT(read, 0u);
  EXPECT_GT(refused, 0u);
}

// The source of the fixture, as a file beside its weights.
class CompilePipeline : public ::testing::Test {
 protected:
  CompilePipeline() : model_(ModelFile::Open(kFixture.string())->message()) {
    fs::copy(kFixture / "model0/weights", scratch_ / "weights", fs::copy_options::recursive);
  }

  Result<CompiledModel> Compile() const {
    WriteText(source_, model_.SerializeAsString());
    return CompileModel(*ModelFile::Open(source_), {.class_name = "weighted_pipeline"});
  }
  std::string RefusalOf() const {
    const auto compiled = Compile();
    if (compiled.ok()) return "";
    EXPECT_EQ(compiled.error().code(), ErrorCode::kUnsupported);
    EXPECT_FALSE(compiled.error().advice().empty());
    return compiled.error().ToString();
  }

  ScratchFolder scratch_;
  std::string source_ = scratch_ / "weighted_pipeline.mlmodel";
  proto::Model model_;
};

TEST_F(CompilePipeline, IsWrittenAsApplesCompilerWroteIt) {
  const auto compiled = Compile();
  ASSERT_TRUE(compiled.ok()) << compiled.error().ToString();
  EXPECT_TRUE(compiled->unconfirmed.empty());
  const std::string folder = scratch_ / "ours.mlmodelc";
  ASSERT_TRUE(WriteCompiled(*compiled, folder).ok());
  const auto differences = CompareCompiled(folder, kFixture.string());
  ASSERT_TRUE(differences.ok());
  // The fixture was shipped without them.
  EXPECT_THAT(*differences,
              ::testing::ElementsAre("analytics/coremldata.bin is only in ours",
                                     "model0/analytics/coremldata.bin is only in ours",
                                     "model1/analytics/coremldata.bin is only in ours"));
}

TEST_F(CompilePipeline, FormsThatNobodyHasShownAreRefused) {
  const proto::Model good = model_;
  model_.mutable_pipeline()->mutable_models(1)->mutable_scaler();
  EXPECT_THAT(RefusalOf(),
              HasSubstr("model 1: no public compiled model shows how a pipeline with a "
                        "scaler is written"));
  model_ = good;
  *model_.mutable_pipeline()->mutable_models(0) = good;
  EXPECT_THAT(RefusalOf(), HasSubstr("a pipeline with a pipeline"));
  model_ = good;
  model_.mutable_pipeline()->clear_models();
  EXPECT_THAT(RefusalOf(), HasSubstr("a pipeline without models"));
  model_ = good;
  *model_.mutable_pipelineclassifier()->mutable_pipeline() = good.pipeline();
  EXPECT_THAT(RefusalOf(), HasSubstr("of type pipelineClassifier"));
}

TEST_F(CompilePipeline, OlderVersionsAreNotConfirmed) {
  model_.set_specificationversion(7);
  const auto compiled = Compile();
  ASSERT_TRUE(compiled.ok()) << compiled.error().ToString();
  EXPECT_THAT(*compiled->unconfirmed.begin(), HasSubstr("a pipeline of specification version 7"));
}

}  // namespace
}  // namespace anemone::format
