// Exported programs of PyTorch: what they become, and what is said of those that cannot.
#include "torch/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "archive_builder.h"
#include "exec/interpreter.h"
#include "ir/verifier.h"
#include "support/mutations.h"
#include "torch/aliases.h"
#include "torch/converter.h"
#include "torch/reader.h"

namespace anemone::torch {
namespace {

using namespace torch::testing;  // NOLINT: the builder's short names
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<ir::Model> ImportText(const std::string& text) {
  ANEMONE_ASSIGN(const Program program, ReadProgram(ToBytes(text)));
  ANEMONE_ASSIGN(ir::Model model, ImportProgram(program));
  ANEMONE_TRY(ir::Verify(model.program));
  return model;
}

// Outputs of the program on float inputs, by name.
std::map<std::string, std::vector<float>> RunOn(const ir::Model& model,
                                                const std::vector<float>& input) {
  const auto& function = *model.program.main();
  auto tensor =
      exec::Tensor::Copy({DType::kFp32, function.inputs()[0]->type.shape(), input.data()});
  EXPECT_TRUE(tensor.ok());
  auto outputs = exec::Interpret(function, {{function.inputs()[0]->name, *tensor}});
  EXPECT_TRUE(outputs.ok()) << outputs.error().ToString();
  std::map<std::string, std::vector<float>> values;
  for (size_t i = 0; i < outputs->size(); ++i) {
    const auto view = (*outputs)[i].view();
    const float* first = view.As<float>();
    values[function.block->outputs()[i]->name].assign(first, first + view.count());
  }
  return values;
}

TEST(TorchImport, StridesOffsetsAndSharedStorage) {
  const auto model = ImportText(LinearArchive().Text());
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  // weight = [[1, 4], [2, 5], [3, 6]], bias = [9, 1, 2]
  const auto outputs = RunOn(*model, {1, 10});
  ASSERT_TRUE(outputs.contains("linear"));
  EXPECT_THAT(outputs.at("linear"), ElementsAre(50, 53, 65));
  EXPECT_EQ(model->metadata.user_defined.at("pytorch.version"), "2.9.0");
}

// y = x * 2; y[0] = 5, through a view of a view; both y and the view are outputs.
TEST(TorchImport, WritesThroughViewsReachTheTensor) {
  Archive archive;
  archive.inputs = {{"x", {{2, 2}}}};
  archive.values = {{"y", MetaText({{2, 2}})},
                    {"flat", MetaText({{4}})},
                    {"part", MetaText({{2}})},
                    {"filled", MetaText({{2}})},
                    {"sum", MetaText({{2, 2}})}};
  archive.nodes = {
      NodeText("aten.mul.Tensor", {{"self", Tensor("x")}, {"other", Int(2)}}, "y"),
      NodeText("aten.view.default", {{"self", Tensor("y")}, {"size", R"({"as_ints": [4]})"}},
               "flat"),
      NodeText("aten.slice.Tensor",
               {{"self", Tensor("flat")}, {"dim", Int(0)}, {"start", Int(1)}, {"end", Int(3)}},
               "part"),
      NodeText("aten.fill_.Scalar", {{"self", Tensor("part")}, {"value", Int(5)}}, "filled"),
      NodeText("aten.add.Tensor", {{"self", Tensor("y")}, {"other", Int(1)}}, "sum")};
  archive.outputs = {"sum", "flat", "filled"};
  const auto model = ImportText(archive.Text());
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  const auto outputs = RunOn(*model, {1, 2, 3, 4});
  EXPECT_THAT(outputs.at("sum"), ElementsAre(3, 6, 6, 9));
  EXPECT_THAT(outputs.at("flat"), ElementsAre(2, 5, 5, 8));
  EXPECT_THAT(outputs.at("filled"), ElementsAre(5, 5));
}

TEST(TorchImport, EverythingUnsupportedIsListedAtOnce) {
  Archive archive = LinearArchive();
  archive.values.push_back({"a", MetaText({{1, 3}})});
  archive.values.push_back({"b", MetaText({{1, 3}})});
  archive.nodes.push_back(
      NodeText("mylib.magic.default", {{"x", Tensor("linear")}}, "a", "blocks.3.attn"));
  archive.nodes.push_back(NodeText("aten._unique2.default", {{"self", Tensor("a")}}, "b"));
  archive.outputs = {"b"};
  const auto model = ImportText(archive.Text());
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
  const std::string text = model.error().ToString();
  EXPECT_THAT(text, HasSubstr("2 nodes"));
  EXPECT_THAT(text, HasSubstr("mylib.magic.default in blocks.3.attn at model.py:12"));
  EXPECT_THAT(text, HasSubstr("custom operator"));
  EXPECT_THAT(text, HasSubstr("aten._unique2.default at model.py:12"));
}

// A buffer that the graph changes is a state; other targets than iOS18 have none.
TEST(TorchImport, MutatedBuffersAreStates) {
  Archive archive;
  archive.inputs = {{"x", {{2}}}};
  archive.weights = {{"b_sum", "sum", "weight_0", {{2}}, "buffer"}};
  archive.files = {{"weight_0", {0, 0}}};
  archive.values = {{"add_", MetaText({{2}})}, {"y", MetaText({{2}})}};
  archive.nodes = {
      NodeText("aten.add_.Tensor", {{"self", Tensor("b_sum")}, {"other", Tensor("x")}}, "add_"),
      NodeText("aten.mul.Tensor", {{"self", Tensor("add_")}, {"other", Int(10)}}, "y")};
  archive.outputs = {"y"};
  const auto program = ReadProgram(ToBytes(archive.Text()));
  ASSERT_TRUE(program.ok()) << program.error().ToString();
  const auto older = ImportProgram(*program, {.input_shapes = {}, .target = ir::Opset::kIOS17});
  ASSERT_FALSE(older.ok());
  EXPECT_THAT(older.error().ToString(), HasSubstr("iOS18"));
  const auto model = ImportProgram(*program, {.input_shapes = {}, .target = ir::Opset::kIOS18});
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  int writes = 0;
  ir::ForEachOperation(*model->program.main()->block, [&](const ir::Operation& operation) {
    writes += operation.type() == "write_state" ? 1 : 0;
  });
  EXPECT_EQ(writes, 1);
}

// What lies in the memory of a buffer that changes would have to change with it.
TEST(TorchImport, BuffersThatShareTheMemoryOfAState) {
  Archive archive;
  archive.inputs = {{"x", {{4}}}};
  archive.weights = {{"b_sum", "sum", "weight_0", {{4}}, "buffer"},
                     {"b_part", "part", "weight_0", {{2}, {2}, 2}, "buffer"}};
  archive.files = {{"weight_0", {0, 0, 0, 0, 0, 0}}};
  archive.values = {{"add_", MetaText({{4}})}, {"y", MetaText({{2}})}};
  archive.nodes = {
      NodeText("aten.add_.Tensor", {{"self", Tensor("b_sum")}, {"other", Tensor("x")}}, "add_"),
      NodeText("aten.mul.Tensor", {{"self", Tensor("b_part")}, {"other", Int(10)}}, "y")};
  archive.outputs = {"y"};
  const auto import = [&] {
    return ImportProgram(*ReadProgram(ToBytes(archive.Text())),
                         {.input_shapes = {}, .target = ir::Opset::kIOS18});
  };
  const auto shared = import();
  ASSERT_FALSE(shared.ok());
  EXPECT_THAT(shared.error().ToString(), HasSubstr("shares its memory with 'part'"));
  archive.weights[1].meta = {{2}, {1}, 4};  // behind the state
  EXPECT_TRUE(import().ok());
}

// Written by PyTorch (tests/oracle/make_torch_program_fixtures.py): the older form with pickles, and the
// archive.
TEST(TorchImport, FilesOfPyTorchItself) {
  for (const char* name : {"small_2_7.pt2", "small_2_15.pt2"}) {
    const auto model = ImportTorch(std::string("tests/fixtures/torch/") + name,
                                   {.input_shapes = {{"x", {1, 2}}}, .target = ir::Opset::kIOS17});
    ASSERT_TRUE(model.ok()) << name << ": " << model.error().ToString();
    std::vector<std::vector<float>> outputs;
    for (const auto& [output, values] : RunOn(*model, {1, 2})) outputs.push_back(values);
    // relu([5.5, -6, 19]) with 3 in front, and [1, 2] times the columns of arange(6).view(2, 3).
    EXPECT_THAT(outputs,
                ::testing::UnorderedElementsAre(ElementsAre(3, 0, 19), ElementsAre(6, 9, 12)))
        << name;
  }
}

struct OtherFile {
  const char* name;
  std::vector<test::ZipSource> sources;
  const char* says;
};

TEST(TorchReader, OtherFilesAreRefusedByWhatTheyAre) {
  const std::vector<OtherFile> files = {
      {"TorchScript",
       {{"m/constants.pkl", "x"}, {"m/code/a.py", ""}, {"m/data.pkl", "x"}},
       "TorchScript"},
      {"weights", {{"m/data.pkl", "x"}, {"m/data/0", "x"}}, "torch.save"},
      {"AOTInductor",
       {{"m/archive_format", "pt2"},
        {"m/archive_version", "0"},
        {"m/data/aotinductor/model/a.so", ""}},
       "AOTInductor"},
      {"newer archive", {{"m/archive_format", "pt2"}, {"m/archive_version", "7"}}, "version '7'"},
      {"other archive", {{"a.txt", "x"}}, "not a file of torch.export.save"},
  };
  for (const OtherFile& file : files) {
    const auto program = ReadProgram(ToBytes(test::Zip(file.sources)));
    ASSERT_FALSE(program.ok()) << file.name;
    EXPECT_THAT(program.error().ToString(), HasSubstr(file.says));
    EXPECT_THAT(program.error().advice(), HasSubstr("torch.export.save")) << file.name;
  }
  const auto pickle = ReadProgram(ToBytes("\x80\x02}q."));
  ASSERT_FALSE(pickle.ok());
  EXPECT_THAT(pickle.error().ToString(), HasSubstr("pickle"));
}

TEST(TorchReader, OtherSchemasSayHowToExportAgain) {
  Archive archive = LinearArchive();
  archive.schema = 12;
  const auto program = ReadProgram(ToBytes(archive.Text()));
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(program.error().message(), HasSubstr("12"));
  EXPECT_THAT(program.error().advice(), HasSubstr("torch.export.save"));
}

TEST(TorchReader, TensorsStayInsideTheirStorage) {
  for (const Meta& meta : std::vector<Meta>{
           {{3, 2}, {1, 3}, 3},          // past the end
           {{3, 2}, {1, 3}, -1},         // before the start
           {{3, 2}, {1}},                // too few strides
           {{1 << 30, 1 << 30}, {1, 1}}  // too many elements
       }) {
    Archive archive = LinearArchive();
    archive.weights[0].meta = meta;
    const auto program = ReadProgram(ToBytes(archive.Text()));
    ASSERT_FALSE(program.ok());
    EXPECT_EQ(program.error().code(), ErrorCode::kInvalidInput) << program.error().ToString();
    EXPECT_THAT(program.error().ToString(), HasSubstr("layer.weight"));
  }
  Archive archive = LinearArchive();
  archive.weights[0].file = "weight_9";
  const auto program = ReadProgram(ToBytes(archive.Text()));
  ASSERT_FALSE(program.ok());
  EXPECT_THAT(program.error().ToString(), HasSubstr("weight_9"));
}

// Damage in the JSON, whose archive is made anew so that its checksum holds: any answer but a crash, an
// endless loop or an internal error.
TEST(TorchReader, SurvivesMutations) {
  const Archive archive = LinearArchive();
  const std::string text = archive.Program();
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  size_t refused = 0;
  test::ForEachMutation({data, text.size()}, {200, 1500, 1500}, [&](std::vector<std::byte> bad) {
    const std::string program(reinterpret_cast<const char*>(bad.data()), bad.size());
    const auto model = ImportText(test::Zip({{"m/archive_format", "pt2"},
                                             {"m/archive_version", "0"},
                                             {"m/models/model.json", program}}));
    if (model.ok()) return;
    ++refused;
    EXPECT_NE(model.error().code(), ErrorCode::kInternal) << model.error().ToString();
  });
  EXPECT_GT(refused, 1000u);
  const std::string whole = archive.Text();
  const auto* bytes = reinterpret_cast<const std::byte*>(whole.data());
  test::ForEachMutation({bytes, whole.size()}, {100, 500, 500}, [&](std::vector<std::byte> bad) {
    (void)ReadProgram(Bytes::FromVector(std::move(bad))).ok();
  });
}

TEST(TorchConverters, TheTableIsWellFormed) {
  std::map<std::string_view, int> targets;
  for (const Converter* row : AllConverters()) {
    EXPECT_EQ(++targets[row->target], 1) << row->target;
    EXPECT_EQ(row->emit == nullptr, !row->refusal.empty()) << row->target;
    EXPECT_EQ(row->refusal.empty(), row->rewrite.empty()) << row->target;
  }
  EXPECT_GT(targets.size(), 400u);
}

TEST(TorchAliases, TargetsThatWrite) {
  EXPECT_EQ(FunctionalTarget("aten.add_.Tensor"), "aten.add.Tensor");
  EXPECT_EQ(FunctionalTarget("aten.__iand__.Scalar"), "aten.__and__.Scalar");
  EXPECT_EQ(FunctionalTarget("aten.__and__.Scalar"), "");
  EXPECT_EQ(FunctionalTarget("aten.relu.default"), "");
  EXPECT_EQ(FunctionalTarget("mylib.add_.default"), "");
}

}  // namespace
}  // namespace anemone::torch
