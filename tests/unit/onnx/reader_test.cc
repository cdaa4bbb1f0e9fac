#include "onnx/reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "model_builder.h"
#include "support/scratch.h"

namespace anemone::onnx {
namespace {

using namespace testing;  // NOLINT: the builder's short names
namespace fs = std::filesystem;

Result<onnx::Model> Read(const Message& message, const std::string& folder = "") {
  return ReadModel(ToBytes(message), folder);
}

// y = Conv(x, w); a model with every kind of field that the fuzz loop should reach.
Message SmallModel() {
  const Message inner = MakeGraph({.nodes = {MakeNode("Relu", {"c"}, {"t"})},
                                   .inputs = {},
                                   .outputs = {MakeValue("t", kFloat, {})}});
  return MakeModel(MakeGraph(
      {.nodes = {MakeNode("Conv", {"x", "w"}, {"c"},
                          {AttrInts("pads", {1, 1, 1, 1}), AttrString("auto_pad", "NOTSET"),
                           AttrInt("group", 1)},
                          "conv"),
                 MakeNode("Constant", {}, {"flag"},
                          {AttrTensor("value", TensorHead("", kBool, {}).Varint(5, 1))}),
                 MakeNode("If", {"flag"}, {"y"},
                          {AttrGraph("then_branch", inner), AttrGraph("else_branch", inner)}),
                 MakeNode("LeakyRelu", {"y"}, {"z"}, {AttrFloat("alpha", 0.5f)})},
       .inputs = {MakeValue("x", kFloat, {1, "n", 4, 4})},
       .outputs = {MakeValue("z", kFloat, {1, 2, 4, 4})},
       .initializers = {Floats("w", {2, 1, 3, 3}, std::vector<float>(18, 0.25f))}}));
}

GraphParts OneRelu() {
  return {.nodes = {MakeNode("Relu", {"x"}, {"y"})},
          .inputs = {MakeValue("x", kFloat, {2})},
          .outputs = {MakeValue("y", kFloat, {2})},
          .initializers = {}};
}

Message WithTensor(const Message& tensor) {
  auto parts = OneRelu();
  parts.initializers = {tensor};
  return MakeModel(MakeGraph(parts));
}

void ExpectInvalid(const Message& message, std::string_view part) {
  const auto model = Read(message);
  ASSERT_FALSE(model.ok()) << part;
  EXPECT_EQ(model.error().code(), ErrorCode::kInvalidInput) << model.error().ToString();
  EXPECT_NE(model.error().ToString().find(part), std::string::npos) << model.error().ToString();
}

TEST(OnnxReader, ReadsEveryPart) {
  const auto model = Read(SmallModel());
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(model->opset(), 17);
  EXPECT_EQ(model->producer_name, "test");
  const auto& graph = model->graph;
  ASSERT_EQ(graph.nodes.size(), 4u);
  EXPECT_EQ(graph.nodes[0].name, "conv");
  EXPECT_EQ(graph.nodes[0].Find("pads")->ints, (std::vector<int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(graph.nodes[0].Find("auto_pad")->s, "NOTSET");
  EXPECT_EQ(graph.nodes[1].Find("value")->tensors[0].data.As<uint8_t>()[0], 1);
  EXPECT_EQ(graph.nodes[2].Find("then_branch")->graphs[0]->nodes[0].op, "Relu");
  EXPECT_EQ(graph.nodes[3].Find("alpha")->f, 0.5f);
  ASSERT_EQ(graph.inputs.size(), 1u);
  ASSERT_TRUE(graph.inputs[0].shape.has_value());
  EXPECT_EQ((*graph.inputs[0].shape)[0].value, 1);
  EXPECT_EQ((*graph.inputs[0].shape)[1].value, std::nullopt);
  EXPECT_EQ((*graph.inputs[0].shape)[1].param, "n");
  const Tensor* w = graph.FindInitializer("w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->dims, (std::vector<int64_t>{2, 1, 3, 3}));
  EXPECT_EQ(w->data.As<float>()[17], 0.25f);
}

TEST(OnnxReader, ReadsEveryTensorEncoding) {
  const struct {
    Message tensor;
    DType dtype;
    std::vector<uint8_t> bytes;
  } cases[] = {
      {TensorHead("w", kFloat, {1}).Array(4, std::vector<float>{1.0f}),
       DType::kFp32,
       {0, 0, 0x80, 0x3f}},
      {TensorHead("w", kFloat, {1}).Float(4, 1.0f), DType::kFp32, {0, 0, 0x80, 0x3f}},
      {TensorHead("w", kDouble, {1}).Array(10, std::vector<double>{1.0}),
       DType::kFp64,
       {0, 0, 0, 0, 0, 0, 0xf0, 0x3f}},
      {TensorHead("w", kInt32, {2}).PackedVarints(5, {-1, 7}),
       DType::kInt32,
       {255, 255, 255, 255, 7, 0, 0, 0}},
      {TensorHead("w", kInt64, {1}).PackedVarints(7, {-2}),
       DType::kInt64,
       {254, 255, 255, 255, 255, 255, 255, 255}},
      {TensorHead("w", kInt64, {1}).Varint(7, 3), DType::kInt64, {3, 0, 0, 0, 0, 0, 0, 0}},
      {TensorHead("w", kHalf, {2}).PackedVarints(5, {0x3c00, 0x8000}),
       DType::kFp16,
       {0, 0x3c, 0, 0x80}},
      {TensorHead("w", kInt8, {2}).PackedVarints(5, {-128, 127}), DType::kInt8, {0x80, 0x7f}},
      {TensorHead("w", kUint8, {2}).PackedVarints(5, {0, 255}), DType::kUInt8, {0, 255}},
      {TensorHead("w", kBool, {2}).PackedVarints(5, {1, 0}), DType::kBool, {1, 0}},
      {TensorHead("w", 13, {1}).PackedVarints(11, {5}), DType::kUInt64, {5, 0, 0, 0, 0, 0, 0, 0}},
      {TensorHead("w", 12, {1}).PackedVarints(11, {0xffffffff}),
       DType::kUInt32,
       {255, 255, 255, 255}},
      {TensorHead("w", 22, {3}).PackedVarints(5, {0x21, 0x0f}), DType::kInt4, {0x21, 0x0f}},
      {TensorHead("w", kFloat, {0}), DType::kFp32, {}},
  };
  for (const auto& test : cases) {
    const auto model = Read(WithTensor(test.tensor));
    ASSERT_TRUE(model.ok()) << model.error().ToString();
    const Tensor& w = *model->graph.FindInitializer("w");
    EXPECT_EQ(w.dtype, test.dtype);
    ASSERT_EQ(w.data.size(), test.bytes.size()) << DTypeName(test.dtype);
    for (size_t i = 0; i < test.bytes.size(); ++i) {
      EXPECT_EQ(static_cast<uint8_t>(w.data.data()[i]), test.bytes[i]) << DTypeName(test.dtype);
    }
  }
  const auto model = Read(WithTensor(TensorHead("w", kString, {2}).Text(6, "a").Text(6, "bc")));
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->graph.FindInitializer("w")->strings, (std::vector<std::string>{"a", "bc"}));
}

TEST(OnnxReader, RefusesBrokenTensors) {
  ExpectInvalid(WithTensor(Floats("w", {3}, {1, 2})),
                "raw_data has 8 bytes, but dims and type float need 12");
  ExpectInvalid(WithTensor(TensorHead("w", kFloat, {2}).Float(4, 1)),
                "the data field holds 4 bytes");
  ExpectInvalid(WithTensor(Floats("w", {int64_t{1} << 40}, {1})), "need 4398046511104");
  ExpectInvalid(WithTensor(Floats("w", {int64_t{1} << 40, int64_t{1} << 40}, {1})), "overflows");
  ExpectInvalid(WithTensor(Floats("w", {int64_t{1} << 62, 1}, {1})), "overflows");
  ExpectInvalid(WithTensor(Floats("w", {-1}, {1})), "must not be negative");
  ExpectInvalid(WithTensor(Floats("w", std::vector<int64_t>(65, 1), {1})), "rank 65");
  ExpectInvalid(WithTensor(TensorHead("w", kInt8, {1}).Varint(5, 200)), "does not fit");
  ExpectInvalid(WithTensor(TensorHead("w", kBool, {1}).Text(9, "\x02")), "a bool element holds 2");
  ExpectInvalid(WithTensor(TensorHead("w", kString, {2}).Text(6, "a")), "1 strings are given");
  ExpectInvalid(WithTensor(TensorHead("w", kFloat, {1}).Text(4, "abc")), "not a multiple of 4");
  ExpectInvalid(WithTensor(Floats("", {1}, {1})), "has no name");
}

TEST(OnnxReader, KeepsTensorsOfTypesItDoesNotKnow) {
  const auto model = Read(WithTensor(TensorHead("w", 17, {4}).Text(9, "abcd")));
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->graph.FindInitializer("w")->dtype, DType::kInvalid);
  EXPECT_EQ(ElementTypeName(17), "float8e4m3fn");
  EXPECT_EQ(ElementTypeName(99), "element type 99");
}

TEST(OnnxReader, SortsNodesAndRefusesBrokenGraphs) {
  auto parts = OneRelu();
  parts.nodes = {MakeNode("Relu", {"b"}, {"y"}), MakeNode("Exp", {"a"}, {"b"}),
                 MakeNode("Abs", {"x"}, {"a"})};
  auto model = Read(MakeModel(MakeGraph(parts)));
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(model->graph.nodes[0].op, "Abs");
  EXPECT_EQ(model->graph.nodes[2].op, "Relu");

  parts.nodes = {MakeNode("Relu", {"a"}, {"b"}), MakeNode("Abs", {"b"}, {"a"}),
                 MakeNode("Exp", {"x"}, {"y"})};
  ExpectInvalid(MakeModel(MakeGraph(parts)), "the graph has a cycle");
  parts.nodes = {MakeNode("Relu", {"nowhere"}, {"y"})};
  ExpectInvalid(MakeModel(MakeGraph(parts)), "reads 'nowhere', which nothing makes");
  parts.nodes = {MakeNode("Relu", {"x"}, {"y"}), MakeNode("Abs", {"x"}, {"y"}, {}, "twin")};
  ExpectInvalid(MakeModel(MakeGraph(parts)), "node 'twin' (Abs): makes 'y'");
  parts.nodes = {MakeNode("Relu", {"x"}, {"x"})};
  ExpectInvalid(MakeModel(MakeGraph(parts)), "already taken");
  parts.nodes = {MakeNode("Relu", {"x"}, {"z"})};
  ExpectInvalid(MakeModel(MakeGraph(parts)), "nothing makes the graph's output 'y'");
  parts.nodes = {MakeNode("", {"x"}, {"y"})};
  ExpectInvalid(MakeModel(MakeGraph(parts)), "no operator type");
  parts.nodes = {MakeNode("Relu", {"x"}, {"y"}, {AttrInt("a", 1), AttrInt("a", 2)})};
  ExpectInvalid(MakeModel(MakeGraph(parts)), "attribute 'a' is given twice");

  parts = OneRelu();
  parts.inputs.push_back(MakeValue("x", kFloat, {2}));
  ExpectInvalid(MakeModel(MakeGraph(parts)), "two inputs are called 'x'");
  parts = OneRelu();
  parts.initializers = {Floats("w", {1}, {1}), Floats("w", {1}, {1})};
  ExpectInvalid(MakeModel(MakeGraph(parts)), "two initializers are called 'w'");
  parts = OneRelu();
  parts.outputs.push_back(MakeValue("y", kFloat, {2}));
  const auto twice = ReadModel(ToBytes(MakeModel(MakeGraph(parts))), "");
  ASSERT_TRUE(twice.ok()) << twice.error().ToString();
  EXPECT_EQ(twice->graph.outputs.size(), 1u);
  parts = OneRelu();
  parts.outputs.clear();
  ExpectInvalid(MakeModel(MakeGraph(parts)), "has no outputs");

  ExpectInvalid(Message().Varint(1, 8), "holds no graph");
  ExpectInvalid(Message().Sub(7, MakeGraph(OneRelu())), "does not import");
  ExpectInvalid(MakeModel(MakeGraph(OneRelu())).Sub(7, MakeGraph(OneRelu())),
                "more than one graph");
  ExpectInvalid(MakeModel(MakeGraph(OneRelu()), -4), "has version -4");
}

TEST(OnnxReader, SparseInitializersAreUnsupported) {
  const auto model = Read(MakeModel(MakeGraph(OneRelu()).Sub(15, Message())));
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
}

TEST(OnnxReader, BoundsTheDepthOfSubgraphs) {
  const auto nested = [](int depth) {
    Message graph = MakeGraph({.nodes = {MakeNode("Relu", {"x"}, {"t"})},
                               .inputs = {},
                               .outputs = {MakeValue("t", kFloat, {})},
                               .initializers = {}});
    for (int i = 0; i < depth; ++i) {
      graph = MakeGraph({.nodes = {MakeNode("If", {"x"}, {"t"}, {AttrGraph("then_branch", graph)})},
                         .inputs = {},
                         .outputs = {MakeValue("t", kFloat, {})},
                         .initializers = {}});
    }
    auto parts = OneRelu();
    parts.nodes = {MakeNode("If", {"x"}, {"y"}, {AttrGraph("then_branch", graph)})};
    return MakeModel(MakeGraph(parts));
  };
  EXPECT_TRUE(Read(nested(8)).ok());
  ExpectInvalid(nested(200), "subgraphs nest deeper than 32");
}

class ExternalData : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_ / "model" / "sub");
    std::ofstream(root_ / "model" / "w.bin", std::ios::binary)
        << std::string(8, '\0') << std::string("\0\0\x80\x3f", 4);
    std::ofstream(root_ / "secret.bin", std::ios::binary) << std::string(64, 's');
    fs::create_symlink(root_ / "secret.bin", root_ / "model" / "link.bin");
    fs::create_symlink("w.bin", root_ / "model" / "inside.bin");
  }

  Result<onnx::Model> ReadWith(const std::vector<std::pair<std::string, std::string>>& entries) {
    Message tensor = TensorHead("w", kFloat, {1});
    for (const auto& [key, value] : entries) tensor.Sub(13, Message().Text(1, key).Text(2, value));
    tensor.Varint(14, 1);
    return Read(WithTensor(tensor), (root_ / "model").string());
  }
  void ExpectError(const std::vector<std::pair<std::string, std::string>>& entries,
                   std::string_view part) {
    const auto model = ReadWith(entries);
    ASSERT_FALSE(model.ok()) << part;
    EXPECT_NE(model.error().ToString().find(part), std::string::npos) << model.error().ToString();
  }
  test::ScratchFolder scratch_;
  fs::path root_ = scratch_.path();
};

TEST_F(ExternalData, IsMapped) {
  for (const char* file : {"w.bin", "./w.bin", "inside.bin"}) {
    const auto model = ReadWith({{"location", file}, {"offset", "8"}, {"length", "4"}});
    ASSERT_TRUE(model.ok()) << model.error().ToString();
    EXPECT_EQ(model->graph.FindInitializer("w")->data.As<float>()[0], 1.0f);
  }
  EXPECT_TRUE(ReadWith({{"location", "w.bin"}}).ok());
}

TEST_F(ExternalData, StaysInsideTheFolder) {
  ExpectError({{"location", "../secret.bin"}}, "leads out");
  ExpectError({{"location", "sub/../../secret.bin"}}, "leads out");
  ExpectError({{"location", (root_ / "secret.bin").string()}}, "absolute path");
  ExpectError({{"location", "link.bin"}}, "link out of the model's folder");
  ExpectError({{"location", "gone.bin"}}, "is not in the model's folder");
  ExpectError({{"location", "sub"}}, "sub");
  ExpectError({{"location", ""}}, "empty");
  ExpectError({{"location", std::string("w.bin\0x", 7)}}, "zero byte");
  ExpectError({}, "has no 'location'");
}

TEST_F(ExternalData, ChecksOffsetAndLength) {
  ExpectError({{"location", "w.bin"}, {"offset", "9"}}, "which has only 12");
  ExpectError({{"location", "w.bin"}, {"offset", "18446744073709551615"}}, "which has only 12");
  ExpectError({{"location", "w.bin"}, {"offset", "99999999999999999999999"}}, "not a whole number");
  ExpectError({{"location", "w.bin"}, {"offset", "-1"}}, "not a whole number");
  ExpectError({{"location", "w.bin"}, {"length", "8"}}, "length is 8 bytes");
}

TEST(OnnxReader, NamesTheFile) {
  const auto gone = ReadModel("/nonexistent/a.onnx");
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code(), ErrorCode::kNotFound);
  const test::ScratchFolder scratch;
  test::WriteText(scratch / "not_onnx.onnx", "hello, this is text");
  const auto model = ReadModel(scratch / "not_onnx.onnx");
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().ToString().find("not_onnx.onnx"), std::string::npos);
  EXPECT_EQ(model.error().code(), ErrorCode::kInvalidInput);
}

// Every truncation and a fixed sequence of bit flips, byte runs and insertions: any answer but a
// crash is acceptable, and a failure must have one of the codes of bad input.
TEST(OnnxReader, SurvivesMutations) {
  const std::string good = SmallModel().bytes();
  int accepted = 0;
  const auto check = [&](const std::string& bytes) {
    const auto model = ReadModel(Bytes::Copy(bytes.data(), bytes.size()), "");
    if (model.ok()) {
      ++accepted;
    } else {
      EXPECT_EQ(ExitCode(model.error().code()), 3) << model.error().ToString();
      EXPECT_FALSE(model.error().message().empty());
    }
  };
  for (size_t size = 0; size < good.size(); ++size) check(good.substr(0, size));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    check(bytes);
  }
  uint64_t state = 0x9e3779b97f4a7c15;
  const auto next = [&](size_t bound) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((state >> 33) % bound);
  };
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good;
    for (size_t edits = 1 + next(4); edits > 0; --edits) {
      const size_t at = next(bytes.size());
      switch (next(4)) {
        case 0:
          bytes[at] = static_cast<char>(next(256));
          break;
        case 1:
          bytes.erase(at, 1 + next(8));
          break;
        case 2:
          bytes.insert(at, 1 + next(8), static_cast<char>(next(256)));
          break;
        default:
          bytes.insert(at, bytes.substr(next(bytes.size()), 1 + next(40)));
          break;
      }
      if (bytes.empty()) break;
    }
    check(bytes);
  }
  EXPECT_GT(accepted, 100);  // files with flips inside weights and names are still read
}

}  // namespace
}  // namespace anemone::onnx
