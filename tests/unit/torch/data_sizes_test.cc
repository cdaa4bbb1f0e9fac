// Operators whose result has a size that depends on the data: the exporter writes it as u0.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "archive_builder.h"
#include "exec/interpreter.h"
#include "ir/verifier.h"
#include "torch/import.h"
#include "torch/reader.h"

namespace anemone::torch {
namespace {

namespace at = torch::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kFloats = 7, kLongs = 5, kBools = 12;

// A tensor whose first size is u0; `rest` are the others.
std::string OpenMeta(const std::vector<int64_t>& rest, int dtype) {
  std::string sizes = R"({"as_expr": {"expr_str": "u0", "hint": null}})";
  std::string strides;
  for (const int64_t size : rest) sizes += fmt::format(R"(, {{"as_int": {}}})", size);
  for (size_t i = 0; i <= rest.size(); ++i)
    strides += fmt::format(R"({}{{"as_int": 1}})", i == 0 ? "" : ", ");
  return fmt::format(
      R"({{"dtype": {}, "sizes": [{}], "requires_grad": false, "device": {{"type": "cpu", "index": null}}, "strides": [{}], "storage_offset": {{"as_int": 0}}, "layout": 7}})",
      dtype, sizes, strides);
}

// What an output holds, as doubles, and its sizes.
struct Found {
  std::vector<double> values;
  ir::Shape shape;
};

Result<std::vector<Found>> OutputsOf(const at::Archive& archive,
                                     const std::vector<std::vector<float>>& inputs,
                                     ir::Opset target = ir::Opset::kIOS17) {
  ANEMONE_ASSIGN(const Program program, ReadProgram(at::ToBytes(archive.Text())));
  ANEMONE_ASSIGN(const ir::Model model,
                 ImportProgram(program, {.input_shapes = {}, .target = target}));
  ANEMONE_TRY(ir::Verify(model.program));
  const auto& function = *model.program.main();
  std::map<std::string, exec::Tensor> given;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto& input = function.inputs()[i];
    ANEMONE_ASSIGN(auto tensor,
                   exec::Tensor::Copy({DType::kFp32, input->type.shape(), inputs[i].data()}));
    given.emplace(input->name, std::move(tensor));
  }
  ANEMONE_ASSIGN(auto outputs, exec::Interpret(function, given));
  std::vector<Found> found;
  for (const auto& output : outputs) {
    const auto view = output.view();
    Found& each = found.emplace_back();
    each.shape = view.shape;
    for (int64_t i = 0; i < view.count(); ++i) {
      each.values.push_back(view.dtype == DType::kFp32 ? double{view.As<float>()[i]}
                                                       : double(view.As<int32_t>()[i]));
    }
  }
  return found;
}

// x [2, 3] and `positive`, where it is above 0.
at::Archive Masked() {
  at::Archive archive;
  archive.inputs = {{"x", {{2, 3}}}};
  archive.values = {{"positive", at::MetaText({{2, 3}, {}, 0, kBools})}};
  archive.nodes = {at::NodeText("aten.gt.Scalar",
                                {{"self", at::Tensor("x")}, {"other", at::Int(0)}}, "positive")};
  archive.outputs = {"y"};
  return archive;
}

std::string Masks(const std::string& name) {
  return fmt::format(R"({{"as_optional_tensors": [{{"as_tensor": {{"name": "{}"}}}}]}})", name);
}

// A symbolic number.
std::string Name(const std::string& name) {
  return fmt::format(R"({{"as_sym_int": {{"as_name": "{}"}}}})", name);
}

const std::vector<float> kSome{1, -2, 3, -4, -5, 6}, kNone{-1, -2, -3, -4, -5, -6};

TEST(TorchDataSizes, PositionsAreRows) {
  for (const char* target : {"aten.nonzero.default", "aten.argwhere.default"}) {
    at::Archive archive = Masked();
    archive.values.push_back({"y", OpenMeta({2}, kLongs)});
    archive.nodes.push_back(at::NodeText(target, {{"self", at::Tensor("positive")}}, "y"));
    const auto some = OutputsOf(archive, {kSome});
    ASSERT_TRUE(some.ok()) << some.error().ToString();
    EXPECT_THAT(some->at(0).shape, ElementsAre(3, 2));
    EXPECT_THAT(some->at(0).values, ElementsAre(0, 0, 0, 2, 1, 2));
    const auto none = OutputsOf(archive, {kNone});
    ASSERT_TRUE(none.ok()) << none.error().ToString();
    EXPECT_THAT(none->at(0).shape, ElementsAre(0, 2));
  }
}

TEST(TorchDataSizes, WhatAMaskSelects) {
  at::Archive select = Masked(), index = Masked();
  for (at::Archive* archive : {&select, &index})
    archive->values.push_back({"y", OpenMeta({}, kFloats)});
  select.nodes.push_back(at::NodeText("aten.masked_select.default",
                                      {{"self", at::Tensor("x")}, {"mask", at::Tensor("positive")}},
                                      "y"));
  index.nodes.push_back(at::NodeText(
      "aten.index.Tensor", {{"self", at::Tensor("x")}, {"indices", Masks("positive")}}, "y"));
  for (const at::Archive& archive : {select, index}) {
    const auto some = OutputsOf(archive, {kSome});
    ASSERT_TRUE(some.ok()) << some.error().ToString();
    EXPECT_THAT(some->at(0).values, ElementsAre(1, 3, 6));
    const auto none = OutputsOf(archive, {kNone});
    ASSERT_TRUE(none.ok()) << none.error().ToString();
    EXPECT_THAT(none->at(0).values, IsEmpty());
  }
}

// x[x > 0] = x[x > 0] * 10: values of their own for each true element.
TEST(TorchDataSizes, WhatIsPutWhereAMaskIsTrue) {
  at::Archive archive = Masked();
  archive.values.push_back({"read", OpenMeta({}, kFloats)});
  archive.values.push_back({"times", OpenMeta({}, kFloats)});
  archive.values.push_back({"y", at::MetaText({{2, 3}})});
  archive.nodes.push_back(at::NodeText(
      "aten.index.Tensor", {{"self", at::Tensor("x")}, {"indices", Masks("positive")}}, "read"));
  archive.nodes.push_back(at::NodeText(
      "aten.mul.Tensor", {{"self", at::Tensor("read")}, {"other", at::Int(10)}}, "times"));
  archive.nodes.push_back(at::NodeText(
      "aten.index_put.default",
      {{"self", at::Tensor("x")}, {"indices", Masks("positive")}, {"values", at::Tensor("times")}},
      "y"));
  const auto some = OutputsOf(archive, {kSome});
  ASSERT_TRUE(some.ok()) << some.error().ToString();
  EXPECT_THAT(some->at(0).values, ElementsAre(10, -2, 30, -4, -5, 60));
  const auto none = OutputsOf(archive, {kNone});
  ASSERT_TRUE(none.ok()) << none.error().ToString();
  EXPECT_THAT(none->at(0).values, ElementsAre(-1, -2, -3, -4, -5, -6));
}

TEST(TorchDataSizes, MaskedScatterTakesTheSourceInOrder) {
  at::Archive archive = Masked();
  archive.inputs.push_back({"source", {{4}}});
  archive.values.push_back({"y", at::MetaText({{2, 3}})});
  archive.nodes.push_back(at::NodeText("aten.masked_scatter.default",
                                       {{"self", at::Tensor("x")},
                                        {"mask", at::Tensor("positive")},
                                        {"source", at::Tensor("source")}},
                                       "y"));
  const auto y = OutputsOf(archive, {{-1, 2, 3, -4, 5, -6}, {10, 20, 30, 40}});
  ASSERT_TRUE(y.ok()) << y.error().ToString();
  EXPECT_THAT(y->at(0).values, ElementsAre(-1, 10, 20, -4, 30, -6));
}

at::Archive Boxes(int64_t count) {
  at::Archive archive;
  archive.inputs = {{"boxes", {{count, 4}}}, {"scores", {{count}}}};
  archive.values = {{"y", OpenMeta({}, kLongs)}};
  archive.nodes = {at::NodeText("torchvision.nms.default",
                                {{"dets", at::Tensor("boxes")},
                                 {"scores", at::Tensor("scores")},
                                 {"iou_threshold", R"({"as_float": 0.5})"}},
                                "y")};
  archive.outputs = {"y"};
  return archive;
}

// Boxes 0 and 1 overlap by 90 of 110, 2 stands alone; 3 overlaps 2 by a third.
TEST(TorchDataSizes, BoxesAreKeptByDescendingScore) {
  const std::vector<float> boxes{0, 0, 10, 10, 1, 0, 11, 10, 50, 0, 60, 10, 55, 0, 65, 10};
  for (const ir::Opset target : {ir::Opset::kIOS15, ir::Opset::kIOS17}) {
    const auto kept = OutputsOf(Boxes(4), {boxes, {0.5F, 0.9F, -1.0F, 0.2F}}, target);
    ASSERT_TRUE(kept.ok()) << kept.error().ToString();
    EXPECT_THAT(kept->at(0).values, ElementsAre(1, 3, 2));
  }
}

// A number of boxes that depends on the data has the bound of what it was picked from.
TEST(TorchDataSizes, BoxesBehindAThreshold) {
  at::Archive archive = Boxes(4);
  archive.values.push_back({"good", at::MetaText({{4}, {}, 0, kBools})});
  archive.values.push_back({"some_boxes", OpenMeta({4}, kFloats)});
  archive.values.push_back({"some_scores", OpenMeta({}, kFloats)});
  const auto pick = [](const std::string& from, const std::string& to) {
    return at::NodeText("aten.index.Tensor",
                        {{"self", at::Tensor(from)}, {"indices", Masks("good")}}, to);
  };
  archive.nodes = {
      at::NodeText("aten.gt.Scalar",
                   {{"self", at::Tensor("scores")}, {"other", R"({"as_float": 0.3})"}}, "good"),
      pick("boxes", "some_boxes"), pick("scores", "some_scores"),
      at::NodeText("torchvision.nms.default",
                   {{"dets", at::Tensor("some_boxes")},
                    {"scores", at::Tensor("some_scores")},
                    {"iou_threshold", R"({"as_float": 0.5})"}},
                   "y")};
  const std::vector<float> boxes{0, 0, 10, 10, 1, 0, 11, 10, 50, 0, 60, 10, 55, 0, 65, 10};
  const auto kept = OutputsOf(archive, {boxes, {0.2F, 0.9F, 0.4F, 0.95F}});
  ASSERT_TRUE(kept.ok()) << kept.error().ToString();
  // Of boxes 1, 2 and 3, which are 0, 1 and 2 here.
  EXPECT_THAT(kept->at(0).values, ElementsAre(2, 0, 1));
  const auto none = OutputsOf(archive, {boxes, {0, 0, 0, 0}});
  ASSERT_TRUE(none.ok()) << none.error().ToString();
  EXPECT_THAT(none->at(0).values, IsEmpty());
}

// A node that gives a number, of the program in which NodeText stands for a tensor.
std::string NumberText(const std::string& target, const std::vector<at::Arg>& args,
                       const std::string& output) {
  std::string text = at::NodeText(target, args, output);
  const std::string tensor = at::Tensor(output);
  return text.replace(text.rfind(tensor), tensor.size(), Name(output));
}

// What is selected has a number of elements that only the run time knows: all of them in order, and all
// but one.
TEST(TorchDataSizes, SortedAndTheLargest) {
  at::Archive archive = Masked();
  for (const char* name : {"read", "sorted", "order"})
    archive.values.push_back({name, OpenMeta({}, kFloats)});
  archive.values.push_back({"y", OpenMeta({}, kFloats)});
  archive.values.push_back({"places", OpenMeta({}, kLongs)});
  archive.nodes.push_back(at::NodeText(
      "aten.index.Tensor", {{"self", at::Tensor("x")}, {"indices", Masks("positive")}}, "read"));
  const std::string both = R"({"as_tensor": {"name": "sorted"}}, {"as_tensor": {"name": "order"}})";
  std::string sort = at::NodeText("aten.sort.default",
                                  {{"self", at::Tensor("read")}, {"dim", at::Int(0)}}, "sorted");
  const std::string one = at::Tensor("sorted");
  sort.replace(sort.rfind(one), one.size(), both);
  archive.nodes.push_back(sort);
  archive.nodes.push_back(
      NumberText("aten.sym_size.int", {{"self", at::Tensor("read")}, {"dim", at::Int(0)}}, "size"));
  archive.nodes.push_back(
      NumberText("_operator.sub", {{"a", Name("size")}, {"b", at::Int(1)}}, "less"));
  std::string top =
      at::NodeText("aten.topk.default", {{"self", at::Tensor("read")}, {"k", Name("less")}}, "y");
  const std::string first = at::Tensor("y");
  top.replace(top.rfind(first), first.size(), first + ", " + at::Tensor("places"));
  archive.nodes.push_back(top);
  archive.outputs = {"sorted", "y", "places"};
  const auto found = OutputsOf(archive, {{4, -2, 3, 8, -5, 6}});
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  EXPECT_THAT(found->at(0).values, ElementsAre(3, 4, 6, 8));
  EXPECT_THAT(found->at(1).values, ElementsAre(8, 6, 4));
  EXPECT_THAT(found->at(2).values, ElementsAre(2, 3, 0));
}

// Repeats that the file holds are no data; computed ones are.
TEST(TorchDataSizes, RepeatsThatTheFileHolds) {
  constexpr int kInts = 4;
  const auto bits = [](int32_t number) { return std::bit_cast<float>(number); };
  at::Archive archive;
  archive.weights = {{"b_times", "times", "weight_0", {{3}, {}, 0, kInts}, "buffer"}};
  archive.files = {{"weight_0", {bits(2), bits(0), bits(3)}}};
  archive.inputs = {{"x", {{3}}}};
  archive.values = {{"y", at::MetaText({{5}})}};
  const auto repeat = [](const std::string& times) {
    return at::NodeText(
        "aten.repeat_interleave.self_Tensor",
        {{"self", at::Tensor("x")}, {"repeats", at::Tensor(times)}, {"dim", at::Int(0)}}, "y");
  };
  archive.nodes = {repeat("b_times")};
  archive.outputs = {"y"};
  const auto y = OutputsOf(archive, {{7, 8, 9}});
  ASSERT_TRUE(y.ok()) << y.error().ToString();
  EXPECT_THAT(y->at(0).values, ElementsAre(7, 7, 9, 9, 9));

  archive.values.push_back({"computed", at::MetaText({{3}, {}, 0, kLongs})});
  archive.nodes = {
      at::NodeText("aten.to.dtype",
                   {{"self", at::Tensor("x")}, {"dtype", R"({"as_scalar_type": 5})"}}, "computed"),
      repeat("computed")};
  const auto refused = OutputsOf(archive, {{1, 2, 3}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().ToString(), HasSubstr("repeats that are computed"));
}

TEST(TorchDataSizes, PositionsInAScalarAreRefused) {
  at::Archive archive;
  archive.inputs = {{"x", {{}}}};
  archive.values = {{"y", OpenMeta({0}, kLongs)}};
  archive.nodes = {at::NodeText("aten.nonzero.default", {{"self", at::Tensor("x")}}, "y")};
  archive.outputs = {"y"};
  const auto y = OutputsOf(archive, {{1}});
  ASSERT_FALSE(y.ok());
  EXPECT_EQ(y.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(y.error().ToString(), HasSubstr("the positions in a scalar"));
}

}  // namespace
}  // namespace anemone::torch
