// Packages made by coremltools (tests/oracle/make_package_fixtures.py): all their contents are
// read, and written back unchanged.
#include "format/package.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <thread>

#include "format/manifest.h"
#include "format/package_layout.h"
#include "format/weight_reader.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;
using test::ScratchFolder;

constexpr std::string_view kFixtures[] = {
    "array_default",
    "array_enumerated",
    "array_range",
    "classifier_ints",
    "classifier_strings",
    "convolution_spec6",
    "convolution_spec7",
    "convolution_spec8",
    "convolution_spec9",
    "image_enumerated",
    "image_gray16",
    "image_range",
    "int4_spec9",
    "multi_function",
    "palettized_spec7",
    "palettized_spec9",
    "state",
    "while_loop",
};

fs::path FixturePath(std::string_view name) {
  return fs::path(test::kSourceDir) / "tests/fixtures/packages" /
         (std::string(name) + ".mlpackage");
}

fs::path DataPath(const fs::path& package) { return package / "Data/com.apple.CoreML"; }

ir::Model Read(const fs::path& path) {
  auto model = ReadModel(path.string());
  EXPECT_TRUE(model.ok()) << model.error().ToString();
  return model.ok() ? std::move(model).value() : ir::Model();
}
ir::Model ReadFixture(std::string_view name) { return Read(FixturePath(name)); }

// Every file of a folder, by relative path.
std::map<std::string, std::string> Tree(const fs::path& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) {
      files[entry.path().lexically_relative(root).string()] = test::ReadText(entry.path());
    }
  }
  return files;
}

const ir::Operation* FindOperation(const ir::Model& model, std::string_view type) {
  const ir::Operation* found = nullptr;
  for (const auto& function : model.program.functions) {
    ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
      if (found == nullptr && operation.type() == type) found = &operation;
    });
  }
  EXPECT_NE(found, nullptr) << type;
  return found;
}

class EveryFixture : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EveryFixture, IsValid) {
  const ir::Model model = ReadFixture(GetParam());
  const Status status = ir::Verify(model.program);
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST_P(EveryFixture, IsTheSameAfterWritingAndReading) {
  const ScratchFolder scratch;
  const ir::Model model = ReadFixture(GetParam());
  const Status status = WritePackage(model, scratch / "m.mlpackage");
  ASSERT_TRUE(status.ok()) << status.ToString();
  const ir::Model again = Read(scratch / "m.mlpackage");
  EXPECT_EQ(ir::PrintText(again.program), ir::PrintText(model.program));
  EXPECT_EQ(again.functions, model.functions);
  EXPECT_EQ(again.metadata, model.metadata);
  EXPECT_EQ(again.spec_version, model.spec_version);
  EXPECT_EQ(again.multi_function, model.multi_function);
  EXPECT_EQ(again.default_function, model.default_function);
  EXPECT_EQ(scratch.entries(), 1u) << "nothing but the package may be left";
}

TEST_P(EveryFixture, WeightFileIsByteForByteThatOfCoremltools) {
  const fs::path original = DataPath(FixturePath(GetParam())) / "weights/weight.bin";
  const ScratchFolder scratch;
  ASSERT_TRUE(WritePackage(ReadFixture(GetParam()), scratch / "m.mlpackage").ok());
  const fs::path ours = DataPath(scratch / "m.mlpackage") / "weights/weight.bin";
  ASSERT_EQ(fs::exists(ours), fs::exists(original));
  if (!fs::exists(original)) return;
  EXPECT_EQ(test::ReadText(ours), test::ReadText(original));
}

TEST_P(EveryFixture, SameModelGivesTheSameBytes) {
  const ScratchFolder scratch;
  ASSERT_TRUE(WritePackage(ReadFixture(GetParam()), scratch / "a.mlpackage").ok());
  TreeFacts facts;
  ASSERT_TRUE(
      WritePackage(ReadFixture(GetParam()), scratch / "b.mlpackage", {.facts = &facts}).ok());
  // What the writer says of a package is what its files say.
  const auto found = HashTree(scratch / "b.mlpackage");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(facts.sha256, found->sha256);
  EXPECT_EQ(facts.size_bytes, found->size_bytes);
  ASSERT_TRUE(WritePackage(Read(scratch / "a.mlpackage"), scratch / "c.mlpackage").ok());
  const auto expected = Tree(scratch / "a.mlpackage");
  EXPECT_GE(expected.size(), 2u);
  EXPECT_EQ(Tree(scratch / "b.mlpackage"), expected);
  EXPECT_EQ(Tree(scratch / "c.mlpackage"), expected) << "a second pass must change nothing";
}

INSTANTIATE_TEST_SUITE_P(Package, EveryFixture, ::testing::ValuesIn(kFixtures),
                         [](const auto& test_case) { return std::string(test_case.param); });

TEST(PackageTest, ConvolutionAtEachSpecificationVersion) {
  for (const int version : {6, 7, 8, 9}) {
    SCOPED_TRACE(version);
    const ir::Model model = ReadFixture(fmt::format("convolution_spec{}", version));
    EXPECT_EQ(model.spec_version, version);
    ASSERT_EQ(model.program.functions.size(), 1u);
    EXPECT_EQ(ir::SpecVersionOf(model.program.main()->opset), version);
    EXPECT_EQ(model.metadata.description, "A convolution");
    EXPECT_EQ(model.metadata.author, "Anemone's tests");
    EXPECT_EQ(model.metadata.license, "none");
    EXPECT_EQ(model.metadata.version, "1.2");
    EXPECT_EQ(model.metadata.user_defined.at("origin"), "make_package_fixtures.py");

    const ir::Feature* image = model.main()->FindInput("image");
    ASSERT_NE(image, nullptr);
    EXPECT_EQ(image->description, "The picture");
    ASSERT_NE(image->image(), nullptr);
    EXPECT_EQ(image->image()->color_space, ir::ImageFeature::ColorSpace::kBgr);
    EXPECT_EQ(image->image()->size, (ir::ImageFeature::Size{8, 8}));
    const ir::Feature* out = model.main()->FindOutput("out");
    ASSERT_NE(out, nullptr);
    ASSERT_NE(out->array(), nullptr);
    EXPECT_EQ(out->array()->shape, (ir::Shape{1, 4, 4, 4}));
    EXPECT_EQ(out->array()->dtype, DType::kFp32);
  }
}

TEST(PackageTest, ConstantsAreViewsOfTheMappedFile) {
  const ir::Model model = ReadFixture("convolution_spec6");
  const ir::Value* weight = FindOperation(model, "conv")->Input("weight");
  ASSERT_TRUE(weight->is_const());
  EXPECT_EQ(weight->type, ir::Type::Tensor(DType::kFp32, {4, 3, 3, 3}));
  const auto reader =
      WeightReader::Open(DataPath(FixturePath("convolution_spec6")) / "weights/weight.bin");
  ASSERT_TRUE(reader.ok());
  const auto blobs = reader->List();
  ASSERT_EQ(blobs->size(), 1u);
  const auto expected = reader->Read(blobs->front().header_offset, DType::kFp32, 108);
  ASSERT_TRUE(expected.ok());
  EXPECT_TRUE(std::ranges::equal(weight->literal->As<uint32_t>(), expected->As<uint32_t>()));
  // A mapping is page-aligned, so data at offset 128 of the file is at 128 of a page; a copy would
  // be elsewhere.
  EXPECT_EQ(reinterpret_cast<uintptr_t>(weight->literal->bytes().data()) % 4096, 128u);
}

TEST(PackageTest, FlexibleInputs) {
  const ir::Model enumerated = ReadFixture("image_enumerated");
  EXPECT_EQ(enumerated.main()->inputs[0].image()->enumerated,
            (std::vector<ir::ImageFeature::Size>{{8, 8}, {12, 16}}));
  const ir::Model range = ReadFixture("image_range");
  const ir::ImageFeature* image = range.main()->inputs[0].image();
  ASSERT_TRUE(image->size_range.has_value());
  EXPECT_EQ(image->size_range->height, (ir::SizeRange{8, 32}));
  EXPECT_EQ(image->size_range->width, (ir::SizeRange{4, 64}));
  const ir::Model arrays = ReadFixture("array_enumerated");
  EXPECT_EQ(arrays.main()->inputs[0].array()->enumerated,
            (std::vector<ir::Shape>{{1, 3, 8, 8}, {1, 3, 16, 12}}));
  const ir::Model array_range = ReadFixture("array_range");
  EXPECT_EQ(array_range.main()->inputs[0].array()->shape_range,
            (std::vector<ir::SizeRange>{{1, 1}, {3, 3}, {8, 32}, {4, 64}}));
  EXPECT_EQ(array_range.program.main()->inputs()[0]->type.shape(),
            (ir::Shape{1, 3, ir::kDynamic, ir::kDynamic}));
  const ir::Model optional = ReadFixture("array_default");
  EXPECT_TRUE(optional.main()->inputs[0].optional);
  EXPECT_EQ(std::get<float>(optional.main()->inputs[0].array()->default_value), 0.5f);
  const ir::Model gray = ReadFixture("image_gray16");
  EXPECT_EQ(gray.main()->inputs[0].image()->color_space,
            ir::ImageFeature::ColorSpace::kGrayscaleFp16);
  EXPECT_NE(gray.main()->outputs[0].image(), nullptr);
}

TEST(PackageTest, Classifiers) {
  const ir::Model strings = ReadFixture("classifier_strings");
  EXPECT_EQ(strings.main()->predicted_feature_name, "classLabel");
  EXPECT_EQ(strings.main()->predicted_probabilities_name, "classLabel_probs");
  EXPECT_EQ(std::get<ir::ScalarFeature>(strings.main()->FindOutput("classLabel")->type),
            ir::ScalarFeature::kString);
  EXPECT_EQ(
      std::get<ir::DictionaryFeature>(strings.main()->FindOutput("classLabel_probs")->type).key,
      ir::KeyType::kString);
  const ir::Value* classes = FindOperation(strings, "classify")->Input("classes");
  ASSERT_TRUE(classes->is_const()) << "a value bound in place becomes a const operation";
  ASSERT_EQ(classes->literal->elements().size(), 12u);
  EXPECT_EQ(classes->literal->elements()[11].AsString(), "label 11");

  const ir::Model ints = ReadFixture("classifier_ints");
  EXPECT_EQ(std::get<ir::DictionaryFeature>(ints.main()->FindOutput("classLabel_probs")->type).key,
            ir::KeyType::kInt64);
  EXPECT_EQ(FindOperation(ints, "classify")->Input("classes")->literal->elements()[3].AsInt(), 103);
}

TEST(PackageTest, CompressedConstantsBecomeArguments) {
  for (const std::string_view name : {"palettized_spec7", "palettized_spec9"}) {
    SCOPED_TRACE(name);
    const ir::Model model = ReadFixture(name);
    const ir::Operation* lut = FindOperation(model, "constexpr_lut_to_dense");
    ASSERT_NE(lut->Input("indices"), nullptr);
    EXPECT_TRUE(lut->Input("indices")->is_const());
    EXPECT_TRUE(lut->Input("lut")->is_const());
    EXPECT_EQ(lut->attributes().size(), 1u) << "only the name";
  }
  const ir::Model int4 = ReadFixture("int4_spec9");
  const ir::Operation* dequantize = FindOperation(int4, "constexpr_blockwise_shift_scale");
  EXPECT_EQ(dequantize->Input("data")->type, ir::Type::Tensor(DType::kInt4, {16, 32}));
}

TEST(PackageTest, SiblingBlocksGetNamesOfTheirOwn) {
  const ir::Model model = ReadFixture("while_loop");
  const ir::Operation* loop = FindOperation(model, "while_loop");
  ASSERT_EQ(loop->blocks().size(), 2u);
  EXPECT_NE(loop->blocks()[0]->inputs()[0]->name, loop->blocks()[1]->inputs()[0]->name);
}

TEST(PackageTest, StatesAndFunctions) {
  const ir::Model state = ReadFixture("state");
  ASSERT_EQ(state.main()->states.size(), 1u);
  EXPECT_EQ(std::get<ir::StateFeature>(state.main()->states[0].type).array.shape,
            (ir::Shape{2, 3}));
  EXPECT_NE(FindOperation(state, "write_state"), nullptr);

  const ir::Model both = ReadFixture("multi_function");
  EXPECT_TRUE(both.multi_function);
  EXPECT_EQ(both.default_function, "thrice");
  EXPECT_EQ(both.main()->name, "thrice");
  ASSERT_NE(both.FindFunction("twice"), nullptr);
  EXPECT_NE(both.program.Find("twice"), nullptr);
  EXPECT_NE(both.program.Find("thrice"), nullptr);
}

TEST(PackageTest, BareModelFile) {
  const ScratchFolder scratch;
  fs::copy(DataPath(FixturePath("array_range")) / "model.mlmodel", scratch / "bare.mlmodel");
  const ir::Model model = Read(scratch / "bare.mlmodel");
  EXPECT_EQ(model.functions, ReadFixture("array_range").functions);
  // With weights, but without its weight file.
  fs::copy(DataPath(FixturePath("convolution_spec6")) / "model.mlmodel", scratch / "lost.mlmodel");
  const auto lost = ReadModel(scratch / "lost.mlmodel");
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(lost.error().ToString().find("weights/weight.bin"), std::string::npos);
}

TEST(PackageTest, CompiledModel) {
  const ScratchFolder scratch;
  const fs::path compiled = scratch.path() / "c.mlmodelc";
  fs::create_directories(compiled / "weights");
  fs::copy(DataPath(FixturePath("convolution_spec6")) / "weights/weight.bin",
           compiled / "weights/weight.bin");
  test::WriteText(compiled / "model.mil", R"(program(1.0)
[buildInfo = dict<tensor<string, []>, tensor<string, []>>({{"coremlc-component-MIL", "3304.5.2"}})]
{
    func main<ios15>(tensor<fp32, [1, 3, 8, 8]> image) {
            tensor<fp32, [4, 3, 3, 3]> w = const()[name = tensor<string, []>("w"), val = tensor<fp32, [4, 3, 3, 3]>(BLOBFILE(path = tensor<string, []>("@model_path/weights/weight.bin"), offset = tensor<uint64, []>(64)))];
            tensor<string, []> pad_type = const()[name = tensor<string, []>("pad_type"), val = tensor<string, []>("same")];
            tensor<int32, [2]> strides = const()[name = tensor<string, []>("strides"), val = tensor<int32, [2]>([2, 2])];
            tensor<int32, [4]> pad = const()[name = tensor<string, []>("pad"), val = tensor<int32, [4]>([0, 0, 0, 0])];
            tensor<int32, [2]> dilations = const()[name = tensor<string, []>("dilations"), val = tensor<int32, [2]>([1, 1])];
            tensor<int32, []> groups = const()[name = tensor<string, []>("groups"), val = tensor<int32, []>(1)];
            tensor<fp32, [1, 4, 4, 4]> out = conv(dilations = dilations, groups = groups, pad = pad, pad_type = pad_type, strides = strides, weight = w, x = image)[name = tensor<string, []>("out")];
        } -> (out);
})");
  test::WriteText(compiled / "metadata.json", R"([{
    "shortDescription": "compiled", "author": "a", "specificationVersion": 6,
    "userDefinedMetadata": {"k": "v"},
    "inputSchema": [{"name": "image", "type": "Image", "colorspace": "BGR", "width": "8", "height": "8",
                     "isOptional": "0", "shortDescription": "pixels"}],
    "outputSchema": [{"name": "out", "type": "MultiArray", "shape": "[1, 4, 4, 4]"}]}])");
  const ir::Model model = Read(compiled);
  EXPECT_EQ(model.metadata.description, "compiled");
  EXPECT_EQ(model.metadata.user_defined.at("k"), "v");
  ASSERT_NE(model.main(), nullptr);
  ASSERT_NE(model.main()->inputs[0].image(), nullptr);
  EXPECT_EQ(model.main()->inputs[0].image()->color_space, ir::ImageFeature::ColorSpace::kBgr);
  EXPECT_EQ(model.main()->inputs[0].description, "pixels");
  const ir::Model package = ReadFixture("convolution_spec6");
  const ir::Value* expected = FindOperation(package, "conv")->Input("weight");
  EXPECT_EQ(*FindOperation(model, "conv")->Input("weight")->literal, *expected->literal);

  test::WriteText(compiled / "metadata.json", "[");
  EXPECT_EQ(ReadModel(compiled.string()).error().code(), ErrorCode::kInvalidInput);
}

// ---- writing ----

TEST(PackageWriterTest, ReplacesAPackageThatItsOwnConstantsAreMappedFrom) {
  const ScratchFolder scratch;
  const std::string path = scratch / "m.mlpackage";
  fs::copy(FixturePath("convolution_spec6"), path, fs::copy_options::recursive);
  test::WriteText(fs::path(path) / "stray.txt", "not of the package");
  const ir::Model model = Read(path);
  const std::string before = ir::PrintText(model.program);
  ASSERT_TRUE(WritePackage(model, path, {.durability = Durability::kProcess}).ok());
  EXPECT_EQ(ir::PrintText(model.program), before) << "the old file must stay mapped";
  EXPECT_EQ(ir::PrintText(Read(path).program), before);
  EXPECT_FALSE(fs::exists(fs::path(path) / "stray.txt"));
  EXPECT_EQ(scratch.entries(), 1u);
}

TEST(PackageWriterTest, LeavesOtherThingsAlone) {
  const ScratchFolder scratch;
  test::WriteText(scratch.path() / "dir/precious.txt", "mine");
  const Status status = WritePackage(ReadFixture("array_range"), scratch / "dir");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
  EXPECT_EQ(test::ReadText(scratch.path() / "dir/precious.txt"), "mine");
  EXPECT_EQ(scratch.entries(), 1u);
}

TEST(PackageWriterTest, AModelThatCannotBeWrittenLeavesTheOldPackage) {
  const ScratchFolder scratch;
  const std::string path = scratch / "m.mlpackage";
  ASSERT_TRUE(WritePackage(ReadFixture("array_range"), path).ok());
  const auto before = Tree(path);
  const auto refuse = [&](ir::Model model, ErrorCode code, std::string_view text) {
    const Status status = WritePackage(model, path);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), code);
    EXPECT_NE(status.ToString().find(text), std::string::npos) << status.ToString();
    EXPECT_EQ(Tree(path), before);
    EXPECT_EQ(scratch.entries(), 1u);
  };
  ir::Model newer = ReadFixture("convolution_spec9");
  newer.spec_version = 6;
  refuse(std::move(newer), ErrorCode::kUnsupported, "ios18");
  ir::Model unknown = ReadFixture("convolution_spec9");
  unknown.spec_version = 99;
  refuse(std::move(unknown), ErrorCode::kUnsupported, "99");
  ir::Model undescribed = ReadFixture("convolution_spec6");
  undescribed.functions[0].inputs.clear();
  refuse(std::move(undescribed), ErrorCode::kInvalidInput,
         "'image' of the function is not described");
  ir::Model wrong_name = ReadFixture("convolution_spec6");
  wrong_name.functions[0].outputs[0].name = "other";
  refuse(std::move(wrong_name), ErrorCode::kInvalidInput, "'other' is not an output");
  ir::Model functions = ReadFixture("multi_function");
  functions.default_function = "none";
  refuse(std::move(functions), ErrorCode::kInvalidInput, "'none' is not described");
}

// A limit on the size of files stands in for a full disk: the weights do not fit.
TEST(PackageWriterTest, FullDiskLeavesTheOldPackage) {
  const ScratchFolder scratch;
  const std::string path = scratch / "m.mlpackage";
  ASSERT_TRUE(WritePackage(ReadFixture("array_range"), path).ok());
  const auto before = Tree(path);
  const ir::Model larger = ReadFixture("convolution_spec6");
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 256, .rlim_max = old_limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Status status = WritePackage(larger, path);
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kIo);
  EXPECT_EQ(Tree(path), before);
  EXPECT_EQ(scratch.entries(), 1u);
}

// A process that writes one package over another is killed at many different moments.
TEST(PackageWriterTest, KilledWriterLeavesAWholePackage) {
  const ScratchFolder scratch;
  const std::string path = scratch / "m.mlpackage";
  const ir::Model models[] = {ReadFixture("convolution_spec6"), ReadFixture("int4_spec9")};
  std::vector<std::map<std::string, std::string>> whole;
  for (const ir::Model& model : models) {
    ASSERT_TRUE(WritePackage(model, path, {.durability = Durability::kProcess}).ok());
    whole.push_back(Tree(path));
  }
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int i = 0;; ++i)
        (void)WritePackage(models[i % 2], path, {.durability = Durability::kProcess});
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 137 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto left = Tree(path);
    ASSERT_TRUE(left == whole[0] || left == whole[1]) << "round " << round;
  }
}

TEST(PackageWriterTest, MissingFolderIsAnError) {
  const ScratchFolder scratch;
  const Status status = WritePackage(ReadFixture("array_range"), scratch / "absent/m.mlpackage");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kIo);
  EXPECT_EQ(scratch.entries(), 0u);
}

TEST(PackageWriterTest, IdentifiersFollowTheContent) {
  const ScratchFolder scratch;
  ir::Model model = ReadFixture("convolution_spec6");
  ASSERT_TRUE(WritePackage(model, scratch / "a.mlpackage").ok());
  model.metadata.author = "somebody else";
  ASSERT_TRUE(WritePackage(model, scratch / "b.mlpackage").ok());
  const auto a = ParseManifest(test::ReadText(scratch.path() / "a.mlpackage/Manifest.json"));
  const auto b = ParseManifest(test::ReadText(scratch.path() / "b.mlpackage/Manifest.json"));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->root_identifier, b->root_identifier);
  const auto weights = [](const Manifest& manifest) {
    return std::ranges::find(manifest.items, "weights", &ManifestItem::name)->identifier;
  };
  EXPECT_EQ(weights(*a), weights(*b)) << "the weights are the same";
}

}  // namespace
}  // namespace anemone::format
