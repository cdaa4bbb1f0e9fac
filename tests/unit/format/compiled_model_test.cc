// Compiled models as folders: written from packages, read back as the same model, and equal to what
// Apple's compiler makes where its output is known by hash.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "base/json.h"
#include "base/sha256.h"
#include "format/compiled_data.h"
#include "format/compiled_metadata.h"
#include "format/compiled_reader.h"
#include "format/compiled_writer.h"
#include "format/mil_text.h"
#include "format/operation_releases.h"
#include "format/package.h"
#include "format/proto/model.pb.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;
using test::ReadText;
using test::ScratchFolder;
using test::WriteText;

fs::path Fixture(std::string_view name) {
  return fs::path(test::kSourceDir) / "tests/fixtures/packages" /
         (std::string(name) + ".mlpackage");
}

Result<CompiledModel> Compile(const fs::path& source, const CompilerVersions& versions = {}) {
  ANEMONE_ASSIGN(const ModelFile file, ModelFile::Open(source.string()));
  return CompileModel(file, {.class_name = source.stem().string(), .versions = versions});
}

std::string HashOf(std::string_view text) {
  return ToHex(Sha256Of(std::as_bytes(std::span(text.data(), text.size()))));
}

// Without what the compiler says of itself.
std::string ProgramText(ir::Program program) {
  program.attributes.erase("buildInfo");
  return ir::PrintText(program);
}

TEST(CompiledModelTest, PackagesReadBackAsTheSameModel) {
  const ScratchFolder scratch;
  for (const char* name :
       {"array_range", "convolution_spec6", "convolution_spec7", "convolution_spec8",
        "convolution_spec9", "image_gray16", "multi_function", "palettized_spec7"}) {
    SCOPED_TRACE(name);
    auto compiled = Compile(Fixture(name));
    ASSERT_TRUE(compiled.ok()) << compiled.error().ToString();
    const std::string path = scratch / (std::string(name) + ".mlmodelc");
    ASSERT_TRUE(WriteCompiled(*compiled, path).ok());
    auto read = ReadModel(path);
    ASSERT_TRUE(read.ok()) << read.error().ToString();
    EXPECT_TRUE(ir::Verify(read->program).ok());
    auto package = ReadModel(Fixture(name).string());
    ASSERT_TRUE(package.ok());
    EXPECT_EQ(read->spec_version, package->spec_version);
    EXPECT_EQ(read->functions, package->functions);
    EXPECT_EQ(read->metadata, package->metadata);
    EXPECT_EQ(read->multi_function, package->multi_function);
    EXPECT_EQ(read->default_function, package->default_function);
    EXPECT_EQ(ProgramText(std::move(read->program)), ProgramText(std::move(package->program)));
    const fs::path weights = "weights/weight.bin";
    const fs::path source = Fixture(name) / "Data/com.apple.CoreML" / weights;
    EXPECT_EQ(fs::exists(path / weights), fs::exists(source));
    if (fs::exists(source)) {
      EXPECT_EQ(ReadText(path / weights), ReadText(source));
    }
    EXPECT_TRUE(ParseJson(ReadText(fs::path(path) / "metadata.json")).ok());
  }
}

TEST(CompiledModelTest, WhatNobodyHasShownIsRefusedByName) {
  struct Case {
    const char* fixture;
    const char* what;
  };
  for (const Case& refused :
       {Case{"array_default", "default value"}, Case{"array_enumerated", "enumerated shapes"},
        Case{"classifier_strings", "a classifier"}, Case{"image_enumerated", "flexible size"},
        Case{"image_range", "flexible size"}, Case{"int4_spec9", "constexpr_blockwise_shift_scale"},
        Case{"palettized_spec9", "constexpr_lut_to_dense"}, Case{"state", "states"},
        Case{"while_loop", "control flow (while_loop)"}}) {
    SCOPED_TRACE(refused.fixture);
    const auto compiled = Compile(Fixture(refused.fixture));
    ASSERT_FALSE(compiled.ok());
    EXPECT_EQ(compiled.error().code(), ErrorCode::kUnsupported);
    EXPECT_NE(compiled.error().message().find(refused.what), std::string::npos)
        << compiled.error().ToString();
    EXPECT_FALSE(compiled.error().advice().empty());
  }
}

// What is not written is read all the same: the labels are in the text, and the rest of a classifier's
// coremldata.bin is not looked at.
TEST(CompiledModelTest, ClassifiersAreRead) {
  for (const char* name : {"classifier_ints", "classifier_strings"}) {
    SCOPED_TRACE(name);
    const auto file = ModelFile::Open(Fixture(name).string());
    ASSERT_TRUE(file.ok());
    const auto text = PrintMilText(file->message());
    ASSERT_TRUE(text.ok()) << text.error().ToString();
    CompiledData data;
    data.model_type = kMlProgramType;
    data.specification.major = static_cast<uint64_t>(file->spec_version());
    data.description = file->message().description();
    data.parameters = "what Apple's compiler puts there";
    const auto read = AssembleCompiled(*text, EncodeCompiledData(data), file->folder());
    ASSERT_TRUE(read.ok()) << read.error().ToString();
    const auto model = DecodeProgramModel(*read);
    ASSERT_TRUE(model.ok()) << model.error().ToString();
    const auto source = DecodeProgramModel(*file);
    EXPECT_EQ(model->functions, source->functions);
    EXPECT_FALSE(model->main()->predicted_feature_name.empty());
    EXPECT_EQ(ProgramText(ir::Clone(model->program)), ProgramText(ir::Clone(source->program)));
  }
}

// ---- a model whose compiled form by Apple is known by its hashes ----

void SetFp32Tensor(proto::ValueType* type, std::initializer_list<int64_t> shape) {
  constexpr int32_t kFp32 = 11;
  type->mutable_tensortype()->set_datatype(kFp32);
  type->mutable_tensortype()->set_rank(static_cast<int64_t>(shape.size()));
  for (const int64_t size : shape) {
    auto* dimension = type->mutable_tensortype()->add_dimensions();
    if (size < 0) {
      dimension->mutable_unknown();
    } else {
      dimension->mutable_constant()->set_size(static_cast<uint64_t>(size));
    }
  }
}

void DescribeRows(proto::FeatureDescription* feature, const char* name) {
  feature->set_name(name);
  auto* array = feature->mutable_type()->mutable_multiarraytype();
  array->add_shape(1);
  array->add_shape(4);
  array->set_datatype(65568);
  for (const auto& [lower, upper] : {std::pair{1, 4}, std::pair{4, 4}}) {
    auto* range = array->mutable_shaperange()->add_sizeranges();
    range->set_lowerbound(static_cast<uint64_t>(lower));
    range->set_upperbound(upper);
  }
}

// "flexible-weighted-legacy" of the public repository mlmodelc-export, which states the hashes of
// the source and of what coremlc 3600.25.1 makes of it: a sum of an input of 1 to 4 rows and four
// weights.
proto::Model FlexibleSum() {
  proto::Model model;
  model.set_specificationversion(9);
  DescribeRows(model.mutable_description()->add_input(), "input");
  DescribeRows(model.mutable_description()->add_output(), "output");
  model.mutable_mlprogram()->set_version(1);
  auto* entry = model.mutable_mlprogram()->add_functions();
  entry->set_key("main");
  proto::Function* function = entry->mutable_value();
  function->set_opset("CoreML7");
  auto* input = function->add_inputs();
  input->set_name("input");
  SetFp32Tensor(input->mutable_type(), {-1, 4});
  auto* specialization = function->add_block_specializations();
  specialization->set_key("CoreML7");
  proto::Block* block = specialization->mutable_value();
  block->add_outputs("output");
  auto* weight = block->add_operations();
  weight->set_type("const");
  weight->add_outputs()->set_name("weight");
  SetFp32Tensor(weight->mutable_outputs(0)->mutable_type(), {4});
  auto* value = weight->add_attributes();
  value->set_key("val");
  SetFp32Tensor(value->mutable_value()->mutable_type(), {4});
  auto* blob = value->mutable_value()->mutable_blobfilevalue();
  blob->set_filename("@model_path/weights/weights.bin");
  blob->set_offset(64);
  auto* add = block->add_operations();
  add->set_type("add");
  for (const auto& [parameter, name] : {std::pair("x", "input"), std::pair("y", "weight")}) {
    auto* argument = add->add_inputs();
    argument->set_key(parameter);
    argument->mutable_value()->add_arguments()->set_name(name);
  }
  add->add_outputs()->set_name("output");
  SetFp32Tensor(add->mutable_outputs(0)->mutable_type(), {-1, 4});
  return model;
}

std::string FourWeights() {
  std::string file(192, '\0');
  const auto put = [&](size_t at, auto number) { std::memcpy(&file[at], &number, sizeof(number)); };
  put(0, uint32_t{1});
  put(4, uint32_t{2});
  put(64, uint32_t{0xDEADBEEF});
  put(68, uint32_t{2});
  put(72, uint64_t{16});
  put(80, uint64_t{128});
  put(128, std::array<float, 4>{2, -3, 5, -7});
  return file;
}

TEST(CompiledModelTest, EqualsApplesCompilerByHash) {
  const ScratchFolder scratch;
  const std::string source = FlexibleSum().SerializeAsString();
  ASSERT_EQ(HashOf(source), "5a22be434969e5aa33f89988ff3d8bacbc011223dec118f81d0fb0b3e72e791a");
  WriteText(scratch / "input.mlmodel", source);
  WriteText(scratch / "weights/weights.bin", FourWeights());
  const auto compiled =
      Compile(scratch / "input.mlmodel", {.coremlc = "3600.25.1", .mil = "3600.16.1"});
  ASSERT_TRUE(compiled.ok()) << compiled.error().ToString();
  EXPECT_EQ(HashOf(compiled->program),
            "692c9b99e60289d8ecb9ec483192a3590af93f4058491737417dd32bd987aa39")
      << compiled->program;
  EXPECT_EQ(HashOf(compiled->data),
            "a1dc9e411898feb29e3f89ed718878d3af61cfb30b4882cd094488ff4408cfcc");
  ASSERT_EQ(compiled->weights.size(), 1u);
  EXPECT_EQ(compiled->weights[0].path, "weights/weights.bin");
  EXPECT_TRUE(compiled->unconfirmed.empty());

  const Json json = ParseJsonOrNull(compiled->metadata)[0];
  EXPECT_EQ(json["storagePrecision"].text(), "Float32");
  EXPECT_EQ(json["computePrecision"].text(), "Float32");
  EXPECT_EQ(json["generatedClassName"].text(), "input");
  EXPECT_EQ(json["mlProgramOperationTypeHistogram"]["Ios17.add"].integer(), 1);
  const Json& input = json["inputSchema"][0];
  EXPECT_EQ(input["shapeFlexibility"].text(), "1...4 × 4");
  EXPECT_EQ(input["shapeRange"].text(), "[[1, 4], [4, 4]]");
  EXPECT_EQ(input["formattedType"].text(), "MultiArray (Float32 1 × 4)");
  EXPECT_EQ(json["availability"]["visionOS"].text(), "2.0");

  ASSERT_TRUE(WriteCompiled(*compiled, scratch / "input.mlmodelc").ok());
  auto read = ReadModel(scratch / "input.mlmodelc");
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->main()->inputs[0].array()->shape_range,
            (std::vector<ir::SizeRange>{{1, 4}, {4, 4}}));
  // Without coremldata.bin the ranges come from the program's text.
  fs::remove(scratch / "input.mlmodelc/coremldata.bin");
  read = ReadModel(scratch / "input.mlmodelc");
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->main()->inputs[0].array()->shape_range,
            (std::vector<ir::SizeRange>{{1, 4}, {4, 4}}));
  EXPECT_EQ(read->main()->inputs[0].array()->shape, (ir::Shape{1, 4}));
}

TEST(CompiledModelTest, TheDescriptionOfCoreMlDataWins) {
  const ScratchFolder scratch;
  auto compiled = Compile(Fixture("convolution_spec6"));
  ASSERT_TRUE(compiled.ok());
  auto data = ParseCompiledData(compiled->data);
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(data->format.major, 5u);
  EXPECT_EQ(data->specification.major, 6u);
  data->description.mutable_metadata()->set_author("of coremldata.bin");
  compiled->data = EncodeCompiledData(*data);
  compiled->metadata = R"([{"author": "of metadata.json"}])";
  const std::string path = scratch / "m.mlmodelc";
  ASSERT_TRUE(WriteCompiled(*compiled, path).ok());
  EXPECT_EQ(ReadModel(path)->metadata.author, "of coremldata.bin");
  fs::remove(fs::path(path) / "coremldata.bin");
  EXPECT_EQ(ReadModel(path)->metadata.author, "of metadata.json");
}

TEST(CompiledModelTest, OtherTypesAreRefusedByName) {
  const ScratchFolder scratch;
  const std::string path = scratch / "m.mlmodelc";
  CompiledData data;
  const auto refusal = [&](uint32_t type) {
    data.model_type = type;
    WriteText(fs::path(path) / "coremldata.bin", EncodeCompiledData(data));
    const auto model = ReadModel(path);
    EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
    EXPECT_FALSE(model.error().advice().empty());
    return model.error().message();
  };
  EXPECT_NE(refusal(302).find("treeEnsembleRegressor"), std::string::npos);
  EXPECT_NE(refusal(400).find("glmClassifier"), std::string::npos);
  fs::remove(fs::path(path) / "coremldata.bin");
  WriteText(fs::path(path) / "model.espresso.net", "{}");
  EXPECT_NE(ReadModel(path).error().message().find("has no coremldata.bin"), std::string::npos);
}

TEST(CompiledModelTest, WritingReplacesOnlyCompiledModels) {
  const ScratchFolder scratch;
  const auto compiled = Compile(Fixture("array_range"));
  ASSERT_TRUE(compiled.ok()) << compiled.error().ToString();
  const std::string path = scratch / "m.mlmodelc";
  ASSERT_TRUE(WriteCompiled(*compiled, path).ok());
  WriteText(fs::path(path) / "stray.txt", "of the old one");
  ASSERT_TRUE(WriteCompiled(*compiled, path).ok());
  EXPECT_FALSE(fs::exists(fs::path(path) / "stray.txt"));
  WriteText(scratch / "mine/notes.txt", "kept");
  EXPECT_EQ(WriteCompiled(*compiled, scratch / "mine").error().code(), ErrorCode::kUsage);
  EXPECT_EQ(ReadText(scratch / "mine/notes.txt"), "kept");
  EXPECT_EQ(scratch.entries(), 2u);
}

TEST(CompiledModelTest, NamesOfOperatorsAndClasses) {
  const auto name = [](const char* operation, ir::Opset opset) {
    return ReleasedNameOf(operation, opset).name;
  };
  EXPECT_EQ(name("conv", ir::Opset::kIOS15), "Conv");
  EXPECT_EQ(name("conv", ir::Opset::kIOS16), "Ios16.conv");
  EXPECT_EQ(name("slice_by_index", ir::Opset::kIOS16), "SliceByIndex");
  EXPECT_EQ(name("slice_by_index", ir::Opset::kIOS17), "Ios17.sliceByIndex");
  EXPECT_EQ(name("reduce_l2_norm", ir::Opset::kIOS17), "Ios16.reduceL2Norm");
  EXPECT_EQ(name("relu", ir::Opset::kIOS18), "Ios18.relu");
  EXPECT_TRUE(ReleasedNameOf("range_1d", ir::Opset::kIOS17).seen);
  EXPECT_FALSE(ReleasedNameOf("erf", ir::Opset::kIOS17).seen);
  EXPECT_EQ(ClassNameOf("silero-vad-unified-v6.0.0"), "silero_vad_unified_v6_0_0");
}

}  // namespace
}  // namespace anemone::format
