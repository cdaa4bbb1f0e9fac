#include "onnx/import.h"

#include <gtest/gtest.h>

#include <cmath>

#include "exec/interpreter.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "model_builder.h"
#include "onnx/converter.h"
#include "onnx/reader.h"

namespace anemone::onnx {
namespace {

using namespace testing;  // NOLINT: the builder's short names

Result<ir::Model> Import(const Message& file, const ImportOptions& options = {}) {
  ANEMONE_ASSIGN(const Model model, ReadModel(ToBytes(file), ""));
  ANEMONE_ASSIGN(ir::Model imported, ImportModel(model, options));
  ANEMONE_TRY(ir::Verify(imported.program));
  return imported;
}

// Runs the program on float inputs in the order of its inputs.
std::vector<std::vector<float>> RunModel(const ir::Model& model,
                                         const std::vector<std::vector<float>>& inputs) {
  const auto& function = *model.program.main();
  std::map<std::string, exec::Tensor> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto& input = *function.inputs()[i];
    auto tensor = exec::Tensor::Copy({DType::kFp32, input.type.shape(), inputs[i].data()});
    EXPECT_TRUE(tensor.ok());
    tensors[input.name] = *tensor;
  }
  auto outputs = exec::Interpret(function, tensors);
  EXPECT_TRUE(outputs.ok()) << outputs.error().ToString();
  std::vector<std::vector<float>> values;
  for (const auto& output : *outputs) {
    const auto view = output.view();
    values.emplace_back();
    for (int64_t i = 0; i < view.count(); ++i) {
      values.back().push_back(view.dtype == DType::kFp32
                                  ? view.As<float>()[i]
                                  : static_cast<float>(view.As<int32_t>()[i]));
    }
  }
  return values;
}

Message OneNode(const Message& node, const std::vector<TestDim>& in,
                const std::vector<Message>& initializers = {}, int64_t opset = 17) {
  return MakeModel(MakeGraph({.nodes = {node},
                              .inputs = {MakeValue("x", kFloat, in)},
                              .outputs = {MakeValue("y", kFloat, {})},
                              .initializers = initializers}),
                   opset);
}

#define ASSERT_IMPORTED(model) ASSERT_TRUE(model.ok()) << model.error().ToString()

TEST(OnnxImport, ConvKeepsNamesAndPads) {
  const auto model = Import(
      OneNode(MakeNode("Conv", {"x", "w", "b"}, {"y"},
                       {AttrInts("pads", {1, 0, 2, 0}), AttrInts("strides", {2, 1})}),
              {1, 1, 4, 4},
              {Floats("w", {2, 1, 3, 1}, {1, 2, 3, 4, 5, 6}), Floats("b", {2}, {0.5f, -0.5f})}));
  ASSERT_IMPORTED(model);
  EXPECT_EQ(Ops(*model), "conv");
  const auto& function = *model->program.main();
  EXPECT_EQ(function.inputs()[0]->name, "x");
  EXPECT_EQ(function.outputs()[0]->name, "y");
  const auto* conv = function.outputs()[0]->producer;
  EXPECT_EQ(conv->Input("pad")->literal->AsInts(), (std::vector<int64_t>{1, 2, 0, 0}));
  EXPECT_EQ(conv->Input("pad_type")->literal->AsString(), "custom");
  EXPECT_EQ(conv->Input("weight")->name, "w");
  EXPECT_EQ(function.outputs()[0]->type.shape(), (ir::Shape{1, 2, 3, 4}));
  EXPECT_EQ(model->spec_version, 6);
}

TEST(OnnxImport, AutoPadPutsTheOddElementWhereItSays) {
  for (const auto& [auto_pad, pads] : std::vector<std::pair<std::string, std::vector<int64_t>>>{
           {"SAME_UPPER", {0, 1, 0, 1}}, {"SAME_LOWER", {1, 0, 1, 0}}, {"VALID", {0, 0, 0, 0}}}) {
    const auto model =
        Import(OneNode(MakeNode("Conv", {"x", "w"}, {"y"}, {AttrString("auto_pad", auto_pad)}),
                       {1, 1, 4, 4}, {Floats("w", {1, 1, 2, 2}, {1, 1, 1, 1})}));
    ASSERT_IMPORTED(model);
    const auto* conv = model->program.main()->outputs()[0]->producer;
    EXPECT_EQ(conv->Input("pad")->literal->AsInts(), pads) << auto_pad;
  }
}

// Shape > Gather > Concat > Reshape leaves a reshape to fixed numbers.
TEST(OnnxImport, FoldsShapeArithmetic) {
  const auto model = Import(
      MakeModel(MakeGraph(
          {.nodes = {MakeNode("Shape", {"x"}, {"s"}), MakeNode("Gather", {"s", "zero"}, {"n"}),
                     MakeNode("Mul", {"n", "two"}, {"m"}),
                     MakeNode("Unsqueeze", {"m", "axis"}, {"u"}),
                     MakeNode("Concat", {"u", "rest"}, {"shape"}, {AttrInt("axis", 0)}),
                     MakeNode("Reshape", {"x", "shape"}, {"y"})},
           .inputs = {MakeValue("x", kFloat, {"batch", 4})},
           .outputs = {MakeValue("y", kFloat, {})},
           .initializers = {Int64s("zero", {}, {0}), Int64s("two", {}, {2}),
                            Int64s("axis", {1}, {0}), Int64s("rest", {1}, {-1})}})),
      {.input_shapes = {{"x", {3, 4}}}});
  ASSERT_IMPORTED(model);
  EXPECT_EQ(Ops(*model), "reshape");
  EXPECT_EQ(model->program.main()->outputs()[0]->type.shape(), (ir::Shape{6, 2}));
}

// The pixel shuffle of old exporters goes through rank 6, which Core ML does not have.
TEST(OnnxImport, PixelShufflePatternStaysWithinRankFive) {
  const auto model = Import(MakeModel(MakeGraph(
      {.nodes = {MakeNode("Reshape", {"x", "six"}, {"a"}),
                 MakeNode("Transpose", {"a"}, {"b"}, {AttrInts("perm", {0, 1, 4, 2, 5, 3})}),
                 MakeNode("Reshape", {"b", "four"}, {"y"})},
       .inputs = {MakeValue("x", kFloat, {2, 8, 2, 3})},
       .outputs = {MakeValue("y", kFloat, {})},
       .initializers = {Int64s("six", {6}, {2, 2, 2, 2, 2, 3}),
                        Int64s("four", {4}, {2, 2, 4, 6})}})));
  ASSERT_IMPORTED(model);
  EXPECT_EQ(Ops(*model), "reshape transpose reshape");
  std::vector<float> x(2 * 8 * 2 * 3);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const auto y = RunModel(*model, {x})[0];
  const auto at = [&](size_t n, size_t c, size_t h, size_t w) {
    return y[((n * 2 + c) * 4 + h) * 6 + w];
  };
  for (size_t n = 0; n < 2; ++n) {
    for (size_t ch = 0; ch < 2; ++ch) {
      for (size_t h = 0; h < 4; ++h) {
        for (size_t w = 0; w < 6; ++w) {
          const size_t channel = ch * 4 + (h % 2) * 2 + w % 2;
          EXPECT_EQ(at(n, ch, h, w), x[((n * 8 + channel) * 2 + h / 2) * 3 + w / 2]);
        }
      }
    }
  }
}

TEST(OnnxImport, ListsEveryBlockingNode) {
  const auto model = Import(
      MakeModel(MakeGraph({.nodes = {MakeNode("StringNormalizer", {"x"}, {"a"}, {}, "first"),
                                     MakeNode("Relu", {"a"}, {"b"}),
                                     MakeNode("FancyOp", {"b"}, {"c"}, {}, "second", "com.acme"),
                                     MakeNode("MaxRoiPool", {"x", "x"}, {"d"}, {}, "third"),
                                     MakeNode("Unused", {"x"}, {"dead"})},
                           .inputs = {MakeValue("x", kFloat, {1, 1, 4, 4})},
                           .outputs = {MakeValue("c", kFloat, {}), MakeValue("d", kFloat, {})}})));
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
  const std::string text = model.error().ToString();
  for (const char* part :
       {"3 nodes of the model cannot be converted",
        "StringNormalizer (opset 17), node 0 first: Core ML's programs compute no text",
        "com.acme.FancyOp", "second", "MaxRoiPool (opset 17)", "no max RoI pooling"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  EXPECT_EQ(text.find("Relu"), std::string::npos) << text;
  EXPECT_EQ(text.find("Unused"), std::string::npos) << text;
}

TEST(OnnxImport, OpenShapesNeedAnAnswer) {
  const auto relu = MakeNode("Relu", {"x"}, {"y"});
  const auto file = OneNode(relu, {"batch", 3, "h", 8});
  const auto open = Import(file);
  ASSERT_FALSE(open.ok());
  EXPECT_EQ(open.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(open.error().ToString().find("[batch, 3, h, 8] is open"), std::string::npos)
      << open.error().ToString();
  EXPECT_NE(open.error().ToString().find("--input x:1x3x224x8"), std::string::npos)
      << open.error().ToString();
  const auto fixed = Import(file, {.input_shapes = {{"x", {2, 3, 4, 8}}}});
  ASSERT_IMPORTED(fixed);
  EXPECT_EQ(fixed->program.main()->outputs()[0]->type.shape(), (ir::Shape{2, 3, 4, 8}));
  const struct {
    std::string name;
    std::vector<InputSize> shape;
  } wrong[] = {{"x", {2, 4, 4, 8}}, {"x", {2, 3, 4}}, {"x", {0, 3, 4, 8}}, {"z", {1}}};
  for (const auto& test : wrong) {
    const auto model = Import(file, {.input_shapes = {{test.name, test.shape}}});
    ASSERT_FALSE(model.ok());
    EXPECT_EQ(model.error().code(), ErrorCode::kUsage) << model.error().ToString();
  }
  const auto huge = Import(OneNode(relu, {int64_t{1} << 20, int64_t{1} << 20}));
  ASSERT_FALSE(huge.ok());
  EXPECT_EQ(huge.error().code(), ErrorCode::kInvalidInput);
}

TEST(OnnxImport, ABatchThatAloneIsOpenBecomesOneAndIsNoted) {
  const auto relu = MakeNode("Relu", {"x"}, {"y"});
  const struct {
    std::vector<TestDim> dims;
    bool taken;
  } cases[] = {{{"batch_size", 3, 6, 8}, true}, {{"N", 12}, true},
               {{"", 3, 6, 8}, true},           {{"", 6, 8}, false},  // may as well be a length
               {{"frames", 6, 8}, false},       {{"batch", "length"}, false}};
  for (const auto& test : cases) {
    const auto model = Import(OneNode(relu, test.dims));
    if (!test.taken) {
      ASSERT_FALSE(model.ok());
      EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
      continue;
    }
    ASSERT_IMPORTED(model);
    EXPECT_EQ(model->program.main()->inputs()[0]->type.shape()[0], 1);
    ASSERT_EQ(model->notes.size(), 1u);
    EXPECT_NE(model->notes[0].find("its batch is open and becomes 1"), std::string::npos);
  }
  // What is given for the batch elsewhere holds here too, and is no guess.
  const auto two = Import(MakeModel(MakeGraph({.nodes = {MakeNode("Add", {"x", "z"}, {"y"})},
                                               .inputs = {MakeValue("x", kFloat, {"batch", 3}),
                                                          MakeValue("z", kFloat, {"batch", 3})},
                                               .outputs = {MakeValue("y", kFloat, {})}})),
                          {.input_shapes = {{"z", {4, 3}}}});
  ASSERT_IMPORTED(two);
  EXPECT_EQ(two->program.main()->outputs()[0]->type.shape(), (ir::Shape{4, 3}));
  EXPECT_TRUE(two->notes.empty());
}

TEST(OnnxImport, NamesAreMadeLegalAndTheOldOnesKept) {
  const auto model = Import(MakeModel(
      MakeGraph({.nodes = {MakeNode("Relu", {"in:0"}, {"a/b"}), MakeNode("Exp", {"a/b"}, {"1"}),
                           MakeNode("Abs", {"a/b"}, {"in_0"})},
                 .inputs = {MakeValue("in:0", kFloat, {2})},
                 .outputs = {MakeValue("1", kFloat, {}), MakeValue("in_0", kFloat, {})}})));
  ASSERT_IMPORTED(model);
  const auto& function = *model->program.main();
  EXPECT_EQ(function.inputs()[0]->name, "in_0");
  EXPECT_EQ(function.outputs()[0]->name, "_1");
  EXPECT_EQ(function.outputs()[1]->name, "in_0_out");
  EXPECT_EQ(model->metadata.user_defined.at("onnx.name.in_0"), "in:0");
  EXPECT_EQ(model->metadata.user_defined.at("onnx.name._1"), "1");
  EXPECT_EQ(model->metadata.user_defined.at("onnx.opset"), "17");
  EXPECT_EQ(model->functions[0].outputs[1].name, "in_0_out");
}

TEST(OnnxImport, AnythingCanBeAnOutput) {
  const auto model = Import(MakeModel(MakeGraph(
      {.nodes = {MakeNode("Identity", {"x"}, {"same"}), MakeNode("Greater", {"x", "c"}, {"flag"}),
                 MakeNode("ReduceSum", {"x"}, {"sum"}, {AttrInt("keepdims", 0)}),
                 MakeNode("Identity", {"sum"}, {"sum2"}),
                 MakeNode("Identity", {"c"}, {"constant"})},
       .inputs = {MakeValue("x", kFloat, {3})},
       .outputs = {MakeValue("same", kFloat, {}), MakeValue("flag", kBool, {}),
                   MakeValue("sum", kFloat, {}), MakeValue("sum2", kFloat, {}),
                   MakeValue("constant", kFloat, {})},
       .initializers = {Floats("c", {1}, {2})}})));
  ASSERT_IMPORTED(model);
  const auto& outputs = model->program.main()->outputs();
  const std::vector<std::string> names = {"same", "flag", "sum", "sum2", "constant"};
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(outputs[i]->name, names[i]);
  EXPECT_EQ(outputs[1]->type.dtype(), DType::kInt32);
  EXPECT_EQ(outputs[2]->type.shape(), ir::Shape{1});
  const auto values = RunModel(*model, {{1, 2, 3}});
  EXPECT_EQ(values[0], (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(values[1], (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(values[2], std::vector<float>{6});
  EXPECT_EQ(values[3], std::vector<float>{6});
  EXPECT_EQ(values[4], std::vector<float>{2});
}

Message Branch(const std::string& op) {
  return MakeGraph({.nodes = {MakeNode(op, {"x"}, {op + "_out"})},
                    .outputs = {MakeValue(op + "_out", kFloat, {})}});
}

TEST(OnnxImport, IfWithAKnownConditionTakesItsBranchIn) {
  const auto model = Import(OneNode(MakeNode("If", {"flag"}, {"y"},
                                             {AttrGraph("then_branch", Branch("Exp")),
                                              AttrGraph("else_branch", Branch("Mystery"))}),
                                    {2}, {TensorHead("flag", kBool, {}).Varint(5, 1)}));
  ASSERT_IMPORTED(model);
  EXPECT_EQ(Ops(*model), "exp");
}

TEST(OnnxImport, IfAtRunTimeBecomesCond) {
  const auto model = Import(MakeModel(
      MakeGraph({.nodes = {MakeNode("ReduceSum", {"x"}, {"sum"}, {AttrInt("keepdims", 0)}),
                           MakeNode("Greater", {"sum", "zero"}, {"flag"}),
                           MakeNode("If", {"flag"}, {"y"},
                                    {AttrGraph("then_branch", Branch("Neg")),
                                     AttrGraph("else_branch", Branch("Abs"))})},
                 .inputs = {MakeValue("x", kFloat, {2})},
                 .outputs = {MakeValue("y", kFloat, {})},
                 .initializers = {Floats("zero", {}, {0})}})));
  ASSERT_IMPORTED(model);
  EXPECT_EQ(RunModel(*model, {{1, 2}})[0], (std::vector<float>{-1, -2}));
  EXPECT_EQ(RunModel(*model, {{-1, -2}})[0], (std::vector<float>{1, 2}));
}

Message FunctionMessage(const std::string& name, const std::vector<Message>& nodes) {
  Message function;
  function.Text(1, name).Text(4, "a").Text(5, "r").Text(6, "slope");
  for (const auto& node : nodes) function.Sub(7, node);
  return function.Sub(9, Message().Text(1, "").Varint(2, 17)).Text(10, "local");
}

TEST(OnnxImport, FunctionsAreTakenIn) {
  const Message reference = Message().Text(1, "alpha").Text(21, "slope").Varint(20, 1);
  const auto file =
      OneNode(MakeNode("F", {"x"}, {"y"}, {AttrFloat("slope", 0.25f)}, "", "local"), {2})
          .Sub(25, FunctionMessage("F", {MakeNode("LeakyRelu", {"a"}, {"t"}, {reference}),
                                         MakeNode("Exp", {"t"}, {"r"})}));
  const auto model = Import(file);
  ASSERT_IMPORTED(model);
  EXPECT_EQ(Ops(*model), "leaky_relu exp");
  EXPECT_FLOAT_EQ(RunModel(*model, {{-4, 0}})[0][0], std::exp(-1.0f));
  const auto endless =
      Import(OneNode(MakeNode("F", {"x"}, {"y"}, {}, "", "local"), {2})
                 .Sub(25, FunctionMessage("F", {MakeNode("F", {"a"}, {"r"}, {}, "", "local")})));
  ASSERT_FALSE(endless.ok());
  EXPECT_EQ(endless.error().code(), ErrorCode::kInvalidInput);
  EXPECT_NE(endless.error().ToString().find("nest deeper"), std::string::npos)
      << endless.error().ToString();
}

TEST(OnnxImport, IntegersMustFitInto32Bits) {
  const auto add = [](int64_t value) {
    return MakeModel(MakeGraph({.nodes = {MakeNode("Add", {"x", "c"}, {"y"})},
                                .inputs = {MakeValue("x", kInt64, {2})},
                                .outputs = {MakeValue("y", kInt64, {})},
                                .initializers = {Int64s("c", {}, {value})}}));
  };
  const auto fits = Import(add(-2147483648));
  ASSERT_IMPORTED(fits);
  EXPECT_EQ(fits->program.main()->inputs()[0]->type.dtype(), DType::kInt32);
  const auto beyond = Import(add(int64_t{1} << 31));
  ASSERT_FALSE(beyond.ok());
  EXPECT_EQ(beyond.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(beyond.error().ToString().find("2147483648"), std::string::npos)
      << beyond.error().ToString();
}

TEST(OnnxImport, AnyOpsetIsConvertedByItsOperatorsAndANewerOneIsNoted) {
  for (const int64_t opset : {1, 6, 28, 99}) {
    const auto model = Import(OneNode(MakeNode("Relu", {"x"}, {"y"}), {2}, {}, opset));
    ASSERT_IMPORTED(model);
    EXPECT_EQ(RunModel(*model, {{-1, 2}})[0], (std::vector<float>{0, 2}));
    ASSERT_EQ(model->notes.size(), opset == 99 ? 1u : 0u);
    if (opset == 99) {
      EXPECT_NE(model->notes[0].find("opset 99 is newer"), std::string::npos);
    }
  }
}

TEST(OnnxImport, BeforeOpset7AnAxisSaysWhereATensorIsRepeated) {
  const auto model = Import(
      OneNode(MakeNode("Add", {"x", "b"}, {"y"}, {AttrInt("broadcast", 1), AttrInt("axis", 0)}),
              {2, 2}, {Floats("b", {2}, {10, 20})}, 6));
  ASSERT_IMPORTED(model);
  EXPECT_EQ(RunModel(*model, {{1, 2, 3, 4}})[0], (std::vector<float>{11, 12, 23, 24}));
  const auto trained =
      Import(OneNode(MakeNode("BatchNormalization", {"x", "b", "b", "b", "b"}, {"y"}), {1, 2, 3},
                     {Floats("b", {2}, {1, 1})}, 6));
  ASSERT_FALSE(trained.ok());
  EXPECT_NE(trained.error().ToString().find("training mode"), std::string::npos);
}

// A small file must not ask for constants of gigabytes.
TEST(OnnxImport, UniqueOfAHugeTensorIsRefused) {
  const auto model = Import(OneNode(MakeNode("Unique", {"x"}, {"y"}), {int64_t{1} << 30}, {}, 17));
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(model.error().ToString().find("equal elements of [1073741824]"), std::string::npos)
      << model.error().ToString();
}

TEST(OnnxImport, AGruThatBecomesALoopIsNoted) {
  const std::vector<float> weights(3, 0.5f);
  for (const int64_t steps : {4, 40}) {
    const auto model = Import(
        OneNode(MakeNode("GRU", {"x", "w", "r"}, {"y"},
                         {AttrInt("hidden_size", 1), AttrInt("linear_before_reset", 1)}),
                {steps, 1, 1}, {Floats("w", {1, 3, 1}, weights), Floats("r", {1, 3, 1}, weights)}));
    ASSERT_IMPORTED(model);
    ASSERT_EQ(model->notes.size(), steps == 40 ? 1u : 0u);
    if (steps == 40) {
      EXPECT_NE(model->notes[0].find("becomes a loop"), std::string::npos) << model->notes[0];
      EXPECT_NE(model->notes[0].find("iOS18"), std::string::npos);
    }
  }
}

TEST(OnnxImport, AnInputWithoutElementsIsLeftOut) {
  const auto model = Import(MakeModel(MakeGraph(
      {.nodes = {MakeNode("Concat", {"x", "e"}, {"y"}, {AttrInt("axis", 0)})},
       .inputs = {MakeValue("x", kFloat, {2}), MakeValue("e", kFloat, {TestDim(int64_t{0})})},
       .outputs = {MakeValue("y", kFloat, {})}})));
  ASSERT_IMPORTED(model);
  EXPECT_EQ(model->program.main()->inputs().size(), 1u);
  EXPECT_EQ(RunModel(*model, {{3, 4}})[0], (std::vector<float>{3, 4}));
  ASSERT_EQ(model->notes.size(), 1u);
  EXPECT_NE(model->notes[0].find("input 'e'"), std::string::npos);
}

TEST(OnnxImport, SoftmaxBeforeOpset13FlattensTheRest) {
  const auto model = Import(OneNode(MakeNode("Softmax", {"x"}, {"y"}), {1, 2, 2}, {}, 11));
  ASSERT_IMPORTED(model);
  const auto y = RunModel(*model, {{0, 0, 0, 0}})[0];
  for (const float value : y) EXPECT_FLOAT_EQ(value, 0.25f);
  const auto newer = Import(OneNode(MakeNode("Softmax", {"x"}, {"y"}), {1, 2, 2}));
  ASSERT_IMPORTED(newer);
  const auto z = RunModel(*newer, {{0, 0, 0, 0}})[0];
  for (const float value : z) EXPECT_FLOAT_EQ(value, 0.5f);
}

TEST(OnnxImport, TheSameFileGivesTheSameProgram) {
  const auto file = OneNode(MakeNode("Gemm", {"x", "w"}, {"y"}, {AttrFloat("alpha", 2)}), {1, 2},
                            {Floats("w", {2, 3}, {1, 2, 3, 4, 5, 6})});
  const auto a = Import(file), b = Import(file);
  ASSERT_IMPORTED(a);
  ASSERT_IMPORTED(b);
  EXPECT_EQ(ir::PrintText(a->program), ir::PrintText(b->program));
  EXPECT_EQ(RunModel(*a, {{1, 1}})[0], (std::vector<float>{10, 14, 18}));
}

// Broken parameters of known operators are refused, never asserted.
TEST(OnnxImport, RefusesBrokenParameters) {
  const std::vector<Message> broken = {
      MakeNode("Conv", {"x"}, {"y"}),
      MakeNode("Conv", {"x", "w"}, {"y"}, {AttrInts("pads", {1})}),
      MakeNode("Conv", {"x", "w"}, {"y"}, {AttrInts("strides", {0, 1})}),
      MakeNode("Conv", {"x", "w"}, {"y"}, {AttrInt("group", 3)}),
      MakeNode("MaxPool", {"x"}, {"y"}),
      MakeNode("MaxPool", {"x"}, {"y"}, {AttrInts("kernel_shape", {9, 9})}),
      MakeNode("Reshape", {"x", "i"}, {"y"}),
      MakeNode("Transpose", {"x"}, {"y"}, {AttrInts("perm", {0, 0, 1, 2})}),
      MakeNode("Squeeze", {"x", "i"}, {"y"}),
      MakeNode("Softmax", {"x"}, {"y"}, {AttrInt("axis", 7)}),
      MakeNode("Concat", {"x", "w"}, {"y"}, {AttrInt("axis", 1)}),
      MakeNode("Gather", {"x", "i"}, {"y"}),
      MakeNode("Slice", {"x", "i", "i", "i"}, {"y"}),
      MakeNode("Split", {"x", "i"}, {"y"}),
      MakeNode("Add", {"x", "w"}, {"y"}),
      MakeNode("MatMul", {"x", "i"}, {"y"}),
      MakeNode("Gemm", {"x", "w"}, {"y"}),
      MakeNode("BatchNormalization", {"x", "w", "w", "w", "w"}, {"y"}),
      MakeNode("Resize", {"x", "", "", "i"}, {"y"}),
      MakeNode("Pad", {"x", "i"}, {"y"}),
      MakeNode("LSTM", {"x", "w", "w"}, {"y"}),
      MakeNode("Einsum", {"x", "w"}, {"y"}, {AttrString("equation", "ab,cd->")}),
      MakeNode("DepthToSpace", {"x"}, {"y"}, {AttrInt("blocksize", 3)}),
      MakeNode("Relu", {}, {"y"}),
      MakeNode("If", {"x"}, {"y"}),
  };
  for (const auto& node : broken) {
    const auto model = Import(
        OneNode(node, {1, 1, 4, 4},
                {Floats("w", {2, 1, 3, 3}, std::vector<float>(18, 1)), Int64s("i", {1}, {77})}));
    ASSERT_FALSE(model.ok()) << node.bytes();
    EXPECT_EQ(ExitCode(model.error().code()), 3) << model.error().ToString();
    EXPECT_NE(model.error().code(), ErrorCode::kInternal) << model.error().ToString();
  }
}

// Small files that ask for huge tensors, one huge one or a chain of growing ones.
TEST(OnnxImport, SmallFilesCannotAskForMuchMemory) {
  const int64_t huge = int64_t{1} << 30;
  const struct {
    Message node;
    std::vector<TestDim> in;
    std::vector<Message> initializers;
  } cases[] = {
      {MakeNode("Resize", {"x", "", "", "i"}, {"y"}),
       {1, 1, 2, 2},
       {Int64s("i", {4}, {1, 1, huge, 2})}},
      {MakeNode("LSTM", {"x", "w", "r"}, {"y"}),
       {1, huge, 1},
       {Floats("w", {1, 4, 1}, {1, 1, 1, 1}), Floats("r", {1, 4, 1}, {1, 1, 1, 1})}},
      {MakeNode("ConstantOfShape", {"i"}, {"y"}), {1}, {Int64s("i", {2}, {huge, huge})}},
      {MakeNode("Trilu", {"x"}, {"y"}), {1 << 19, 1 << 19}, {}},
      {MakeNode("Dropout", {"x"}, {"z", "y"}), {1 << 19, 1 << 19}, {}},
      {MakeNode("Range", {"a", "b", "c"}, {"y"}),
       {1},
       {Int64s("a", {}, {0}), Int64s("b", {}, {huge}), Int64s("c", {}, {1})}},
  };
  for (const auto& test : cases) {
    const auto model = Import(OneNode(test.node, test.in, test.initializers));
    ASSERT_FALSE(model.ok());
    EXPECT_EQ(ExitCode(model.error().code()), 3) << model.error().ToString();
    EXPECT_NE(model.error().code(), ErrorCode::kInternal) << model.error().ToString();
  }
}

TEST(OnnxConverters, TheTableIsWellFormed) {
  const auto rows = AllConverters();
  EXPECT_GT(rows.size(), 120u);
  for (const auto* row : rows) {
    EXPECT_FALSE(row->op.empty());
    EXPECT_LE(row->since, row->until) << row->op;
    EXPECT_EQ(row->emit == nullptr, !row->refusal.empty()) << row->op;
    EXPECT_EQ(row->refusal.empty(), row->rewrite.empty()) << row->op;
    for (const auto* other : rows) {
      const bool overlap = other != row && other->op == row->op && other->domain == row->domain &&
                           other->since <= row->until && row->since <= other->until;
      EXPECT_FALSE(overlap) << row->op;
    }
  }
}

// Damage in a file that mixes many operators: any answer but a crash, an endless loop or an
// internal error is acceptable.
TEST(OnnxImport, SurvivesMutations) {
  const auto file = MakeModel(MakeGraph(
      {.nodes = {MakeNode("Conv", {"x", "w"}, {"c"},
                          {AttrInts("pads", {1, 1, 1, 1}), AttrInts("strides", {2, 2})}),
                 MakeNode("Resize", {"c", "", "scales"}, {"r"}, {AttrString("mode", "linear")}),
                 MakeNode("Slice", {"r", "i0", "i2", "i1"}, {"s"}),
                 MakeNode("Softmax", {"s"}, {"m"}, {AttrInt("axis", 1)}),
                 MakeNode("Shape", {"m"}, {"h"}), MakeNode("Reshape", {"m", "h"}, {"v"}),
                 MakeNode("Pad", {"v", "pads"}, {"p"}),
                 MakeNode("ReduceMean", {"p"}, {"y"}, {AttrInts("axes", {2, 3})})},
       .inputs = {MakeValue("x", kFloat, {1, 1, 4, 4})},
       .outputs = {MakeValue("y", kFloat, {})},
       .initializers = {Floats("w", {2, 1, 3, 3}, std::vector<float>(18, 1)),
                        Floats("scales", {4}, {1, 1, 2, 2}), Int64s("i0", {1}, {0}),
                        Int64s("i1", {1}, {1}), Int64s("i2", {1}, {2}),
                        Int64s("pads", {8}, {0, 0, 1, 1, 0, 0, 1, 1})}}));
  ASSERT_IMPORTED(Import(file));
  const std::string& good = file.bytes();
  int accepted = 0;
  const auto check = [&](const std::string& bytes) {
    const auto read = ReadModel(Bytes::Copy(bytes.data(), bytes.size()), "");
    if (!read.ok()) return;
    const auto model = ImportModel(*read, {});
    accepted += model.ok();
    if (!model.ok()) {
      EXPECT_EQ(ExitCode(model.error().code()), 3) << model.error().ToString();
    }
  };
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    check(bytes);
  }
  uint64_t state = 12345;
  const auto next = [&](size_t bound) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((state >> 33) % bound);
  };
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = good;
    for (size_t edits = 1 + next(3); edits > 0; --edits)
      bytes[next(bytes.size())] = static_cast<char>(next(256));
    check(bytes);
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace anemone::onnx
