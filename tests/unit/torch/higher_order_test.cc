// Higher-order operators, symbolic strides and numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive_builder.h"
#include "exec/interpreter.h"
#include "ir/verifier.h"
#include "torch/aliases.h"
#include "torch/import.h"
#include "torch/reader.h"

namespace anemone::torch {
namespace {

namespace t = torch::testing;
using ::testing::HasSubstr;

std::string GraphText(const std::vector<std::string>& inputs, const std::vector<t::Arg>& values,
                      const std::vector<std::string>& nodes,
                      const std::vector<std::string>& outputs) {
  const auto joined = [](const std::vector<std::string>& items, bool tensors) {
    std::string text;
    for (const std::string& item : items)
      text += (text.empty() ? "" : ", ") + (tensors ? t::Tensor(item) : item);
    return text;
  };
  std::string metas;
  for (const t::Arg& value : values)
    metas += (metas.empty() ? "" : ", ") + fmt::format("\"{}\": {}", value.name, value.value);
  return fmt::format(
      R"({{"as_graph": {{"name": "body", "graph": {{"inputs": [{}], "outputs": [{}], "nodes": [{}], "tensor_values": {{{}}}, "sym_int_values": {{}}, "sym_bool_values": {{}}}}}}}})",
      joined(inputs, true), joined(outputs, true), joined(nodes, false), metas);
}

std::string TensorsText(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : ", ") + fmt::format(R"({{"name": "{}"}})", name);
  return fmt::format(R"({{"as_tensors": [{}]}})", text);
}

// The single output, of a program whose one input is floats.
Result<std::vector<float>> Computed(const t::Archive& archive, const std::vector<float>& input) {
  ANEMONE_ASSIGN(const Program program, ReadProgram(t::ToBytes(archive.Text())));
  ANEMONE_ASSIGN(const ir::Model model, ImportProgram(program));
  ANEMONE_TRY(ir::Verify(model.program));
  const auto& function = *model.program.main();
  ANEMONE_ASSIGN(auto tensor, exec::Tensor::Copy({DType::kFp32, function.inputs()[0]->type.shape(),
                                                  input.data()}));
  ANEMONE_ASSIGN(auto outputs, exec::Interpret(function, {{function.inputs()[0]->name, tensor}}));
  const auto view = outputs[0].view();
  return std::vector<float>(view.As<float>(), view.As<float>() + view.count());
}

std::string PlusText(const std::string& output, int64_t number) {
  return t::NodeText("aten.add.Tensor", {{"self", t::Tensor("a")}, {"other", t::Int(number)}},
                     output);
}

TEST(TorchHigherOrder, CondTakesTheBranchOfTheData) {
  t::Archive archive;
  archive.inputs = {{"x", {{2}}}};
  archive.values = {{"sum", t::MetaText({{}})},
                    {"positive", t::MetaText({{}, {}, 0, 12})},
                    {"y", t::MetaText({{2}})}};
  const std::vector<t::Arg> values = {{"a", t::MetaText({{2}})}, {"b", t::MetaText({{2}})}};
  archive.nodes = {
      t::NodeText("aten.sum.default", {{"self", t::Tensor("x")}}, "sum"),
      t::NodeText("aten.gt.Scalar", {{"self", t::Tensor("sum")}, {"other", t::Int(0)}}, "positive"),
      t::NodeText("higher_order.cond",
                  {{"", t::Tensor("positive")},
                   {"", GraphText({"a"}, values, {PlusText("b", 10)}, {"b"})},
                   {"", GraphText({"a"}, values, {PlusText("b", -10)}, {"b"})},
                   {"", TensorsText({"x"})}},
                  "y")};
  archive.outputs = {"y"};
  const auto above = Computed(archive, {1, 2});
  ASSERT_TRUE(above.ok()) << above.error().ToString();
  EXPECT_EQ(*above, (std::vector<float>{11, 12}));
  const auto below = Computed(archive, {-1, -2});
  ASSERT_TRUE(below.ok()) << below.error().ToString();
  EXPECT_EQ(*below, (std::vector<float>{-11, -12}));
}

// while sum(a) < 10: a = a + 3
TEST(TorchHigherOrder, WhileLoopEndsWhenTheDataSaySo) {
  t::Archive archive;
  archive.inputs = {{"x", {{2}}}};
  archive.values = {{"y", t::MetaText({{2}})}};
  const std::vector<t::Arg> values = {{"a", t::MetaText({{2}})},
                                      {"b", t::MetaText({{2}})},
                                      {"sum", t::MetaText({{}})},
                                      {"low", t::MetaText({{}, {}, 0, 12})}};
  archive.nodes = {t::NodeText(
      "higher_order.while_loop",
      {{"", GraphText({"a"}, values,
                      {t::NodeText("aten.sum.default", {{"self", t::Tensor("a")}}, "sum"),
                       t::NodeText("aten.lt.Scalar",
                                   {{"self", t::Tensor("sum")}, {"other", t::Int(10)}}, "low")},
                      {"low"})},
       {"", GraphText({"a"}, values, {PlusText("b", 3)}, {"b"})},
       {"", TensorsText({"x"})},
       {"", TensorsText({})}},
      "y")};
  archive.outputs = {"y"};
  const auto two_rounds = Computed(archive, {0, 1});
  ASSERT_TRUE(two_rounds.ok()) << two_rounds.error().ToString();
  EXPECT_EQ(*two_rounds, (std::vector<float>{6, 7}));
  const auto none = Computed(archive, {20, 1});
  ASSERT_TRUE(none.ok()) << none.error().ToString();
  EXPECT_EQ(*none, (std::vector<float>{20, 1}));
}

TEST(TorchHigherOrder, MapGoesOverTheFirstDimension) {
  t::Archive archive;
  archive.inputs = {{"x", {{2, 2}}}};
  archive.values = {{"y", t::MetaText({{2, 2}})}};
  const std::vector<t::Arg> values = {{"a", t::MetaText({{2}})}, {"b", t::MetaText({{2}})}};
  archive.nodes = {t::NodeText("higher_order.map_impl",
                               {{"", GraphText({"a"}, values, {PlusText("b", 1)}, {"b"})},
                                {"", TensorsText({"x"})},
                                {"", TensorsText({})}},
                               "y")};
  archive.outputs = {"y"};
  const auto result = Computed(archive, {1, 2, 3, 4});
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  EXPECT_EQ(*result, (std::vector<float>{2, 3, 4, 5}));
}

TEST(TorchHigherOrder, OthersAreRefusedByName) {
  t::Archive archive;
  archive.inputs = {{"x", {{2}}}};
  archive.values = {{"y", t::MetaText({{2}})}};
  archive.nodes = {t::NodeText("higher_order.flex_attention", {{"", t::Tensor("x")}}, "y")};
  archive.outputs = {"y"};
  const auto result = Computed(archive, {1, 2});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().ToString(), HasSubstr("higher_order.flex_attention"));
}

// A reshape of a tensor that lies turned is a copy, also where its sizes are symbols.
TEST(TorchAliases, SymbolicStridesTellViewsFromCopies) {
  const auto size = [](const std::string& expression) {
    return expression.empty() ? Size{4, {}, {}} : Size{{}, expression, {}};
  };
  Node node;
  node.target = "aten.reshape.default";
  node.inputs.push_back({"self", {}});
  node.inputs[0].value.kind = Argument::Kind::kTensor;
  node.inputs[0].value.names = {"x"};
  Graph graph;
  TensorMeta& meta = graph.tensors["x"];
  meta.sizes = {size("s0"), size("s1"), size("")};
  meta.strides = {size("4*s1"), size(""), Size{1, {}, {}}};
  EXPECT_TRUE(IsView(node, graph));
  meta.sizes = {size("s0"), size(""), size("s1")};  // s0, s1, 4 with the last two turned
  meta.strides = {size("4*s1"), Size{1, {}, {}}, size("")};
  EXPECT_FALSE(IsView(node, graph));
}

}  // namespace
}  // namespace anemone::torch
