// Integers of 64 bits in the ONNX file, of 32 in the program: what does not fit is an error, never
// another number. ONNX's int32 wraps around, and stays so.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "cpu/cpu_backend.h"
#include "exec/interpreter.h"
#include "exec/reference_backend.h"
#include "format/int64_results.h"
#include "format/package.h"
#include "ir/verifier.h"
#include "model_builder.h"
#include "onnx/import.h"
#include "onnx/reader.h"
#include "support/scratch.h"

namespace anemone::onnx {
namespace {

using namespace testing;  // NOLINT: the builder's short names

constexpr int32_t kMax = INT32_MAX, kMin = INT32_MIN;

struct Case {
  const char* name;
  Message node;  // of x, making y
  std::vector<int32_t> x;
  std::optional<std::vector<int32_t>> y = std::nullopt;  // absent: it does not fit in int32
  std::vector<Message> initializers = {};
  int type = kInt64;
  std::vector<Message> before = {};  // nodes that the node reads, the last one first
};

std::vector<Case> Cases() {
  const auto binary = [](std::string_view op) { return MakeNode(op, {"x", "x"}, {"y"}); };
  const auto with = [](std::string_view op) { return MakeNode(op, {"x", "c"}, {"y"}); };
  const auto unary = [](std::string_view op) { return MakeNode(op, {"x"}, {"y"}); };
  const auto constant = [](int64_t value) { return std::vector{Int64s("c", {}, {value})}; };
  const auto sum = [](std::string_view op) {
    return MakeNode(op, {"x"}, {"y"}, {AttrInt("keepdims", 1)});
  };
  return {
      {"Add", binary("Add"), {kMax, 1}},
      {"AddThatFits", binary("Add"), {kMax / 2, kMin / 2}, {{kMax - 1, kMin}}},
      {"AddOfInt32", binary("Add"), {kMax, 1}, {{-2, 2}}, {}, kInt32},
      {"Sub", with("Sub"), {kMin, 1}, {}, constant(1)},
      {"SubThatFits", with("Sub"), {kMin + 1, 1}, {{kMin, 0}}, constant(1)},
      {"Mul", binary("Mul"), {46341, 2}},
      {"MulThatFits", binary("Mul"), {46340, -46340}, {{2147395600, 2147395600}}},
      {"MulToTwiceTheRange", binary("Mul"), {65536, 1}},  // wraps around to 0
      {"MulOfInt32", binary("Mul"), {65537, 2}, {{131073, 4}}, {}, kInt32},
      {"Pow", with("Pow"), {70000, 2}, {}, constant(2)},
      {"PowThatFits", with("Pow"), {-1290, 2}, {{-2146689000, 8}}, constant(3)},
      {"Neg", unary("Neg"), {kMin, 1}},
      {"NegThatFits", unary("Neg"), {kMax, 1}, {{-kMax, -1}}},
      {"Abs", unary("Abs"), {kMin, 1}},
      {"DivOfTheSmallest", with("Div"), {kMin, 1}, {}, constant(-1)},
      {"DivByWhatIsFedThatFits", binary("Div"), {7, kMin}, {{1, 1}}},
      {"DivByMinusOneAtRunTime",
       MakeNode("Div", {"x", "minus"}, {"y"}),
       {kMin, 5},
       {},
       {},
       kInt64,
       {MakeNode("Neg", {"sign"}, {"minus"}), MakeNode("Abs", {"signs"}, {"sign"}),
        MakeNode("Sign", {"x"}, {"signs"})}},
      {"Mod", with("Mod"), {kMax, kMin}, {{1, 0}}, constant(2)},
      {"ReduceSum", sum("ReduceSum"), {kMax, 1}},
      {"ReduceSumThatFits", sum("ReduceSum"), {kMax, -1}, {{kMax - 1}}},
      {"ReduceProd", sum("ReduceProd"), {65536, 65536}},
      {"ReduceSumSquare", sum("ReduceSumSquare"), {46341, 46341}},
      {"ReduceL1", sum("ReduceL1"), {kMin + 1, kMax}},
      {"ReduceMax", sum("ReduceMax"), {kMin, kMax}, {{kMax}}},
      {"CumSum", with("CumSum"), {kMax, 1}, {}, constant(0)},
      {"CumSumThatFits", with("CumSum"), {kMin, kMax}, {{kMin, -1}}, constant(0)},
      {"MatMul", binary("MatMul"), {46341, 46341}},
      {"ScatterElements",
       MakeNode("ScatterElements", {"x", "c", "x"}, {"y"}, {AttrString("reduction", "add")}),
       {kMax, 1},
       {},
       {Int64s("c", {2}, {0, 1})}},
  };
}

Result<std::shared_ptr<const ir::Model>> Imported(const Case& test) {
  std::vector<Message> nodes(test.before.rbegin(), test.before.rend());
  nodes.push_back(test.node);
  const auto file = MakeModel(
      MakeGraph({.nodes = nodes,
                 .inputs = {MakeValue("x", test.type, {static_cast<int64_t>(test.x.size())})},
                 .outputs = {MakeValue("y", test.type, {})},
                 .initializers = test.initializers}),
      18);
  ANEMONE_ASSIGN(const Model model, ReadModel(ToBytes(file), ""));
  ANEMONE_ASSIGN(ir::Model imported, ImportModel(model, {}));
  ANEMONE_TRY(ir::Verify(imported.program));
  return std::make_shared<const ir::Model>(std::move(imported));
}

std::shared_ptr<const ir::Model> ThroughPackage(const ir::Model& model) {
  const test::ScratchFolder scratch;
  const std::string path = scratch / "m.mlpackage";
  EXPECT_TRUE(format::WritePackage(model, path).ok());
  auto read = format::ReadModel(path);
  EXPECT_TRUE(read.ok()) << read.error().ToString();
  return std::make_shared<const ir::Model>(std::move(*read));
}

TEST(OnnxInt64Results, WhatDoesNotFitIsAnErrorEverywhere) {
  for (const Case& test : Cases()) {
    const auto imported = Imported(test);
    ASSERT_TRUE(imported.ok()) << test.name << ": " << imported.error().ToString();
    for (const bool packaged : {false, true}) {
      const auto model = packaged ? ThroughPackage(**imported) : *imported;
      for (const exec::Backend* backend : {&exec::ReferenceBackend(), &cpu::CpuBackend()}) {
        SCOPED_TRACE(fmt::format("{} on {}{}", test.name, backend->name(),
                                 packaged ? ", from its package" : ""));
        auto executable = backend->Load(model, {});
        ASSERT_TRUE(executable.ok()) << executable.error().ToString();
        exec::Tensor x = *exec::Tensor::Copy({DType::kInt32, {std::ssize(test.x)}, test.x.data()});
        const auto outputs = (*executable)->Run({{"x", x}}, nullptr, nullptr);
        ASSERT_EQ(outputs.ok(), test.y.has_value())
            << (outputs.ok() ? "it runs" : outputs.error().ToString());
        if (!outputs.ok()) {
          const std::string text = outputs.error().ToString();
          EXPECT_NE(text.find("does not fit in the 32 bits"), std::string::npos) << text;
          EXPECT_NE(text.find("'y"), std::string::npos) << "what it is, is not named: " << text;
          continue;
        }
        const exec::Tensor& y = outputs->at("y");
        EXPECT_EQ(std::vector<int32_t>(y.As<int32_t>(), y.As<int32_t>() + y.count()), *test.y);
      }
    }
  }
}

TEST(OnnxInt64Results, ACastOfFloatsIsCheckedToo) {
  const auto file =
      MakeModel(MakeGraph({.nodes = {MakeNode("Cast", {"x"}, {"y"}, {AttrInt("to", kInt64)})},
                           .inputs = {MakeValue("x", kFloat, {3})},
                           .outputs = {MakeValue("y", kInt64, {})}}));
  const auto read = ReadModel(ToBytes(file), "");
  ASSERT_TRUE(read.ok());
  auto imported = ImportModel(*read, {});
  ASSERT_TRUE(imported.ok()) << imported.error().ToString();
  const auto model = std::make_shared<const ir::Model>(std::move(*imported));
  auto executable = cpu::CpuBackend().Load(model, {});
  ASSERT_TRUE(executable.ok());
  const auto run = [&](float value) {
    const float values[] = {-3.7f, value, 0.0f};
    return (*executable)
        ->Run({{"x", *exec::Tensor::Copy({DType::kFp32, {3}, values})}}, nullptr, nullptr);
  };
  const auto fits = run(-2147483648.0f);
  ASSERT_TRUE(fits.ok()) << fits.error().ToString();
  EXPECT_EQ(fits->at("y").As<int32_t>()[0], -3);
  EXPECT_EQ(fits->at("y").As<int32_t>()[1], kMin);
  EXPECT_FALSE(run(2147483648.0f).ok());
  EXPECT_FALSE(run(-3e9f).ok());
}

TEST(OnnxInt64Results, APackageKeepsTheMarksInItsMetadataOnly) {
  const auto imported = Imported(Cases()[0]);
  ASSERT_TRUE(imported.ok());
  const auto model = ThroughPackage(**imported);
  EXPECT_FALSE(model->metadata.user_defined.contains(format::kInt64ResultsKey));
  EXPECT_TRUE(model->program.main()->outputs()[0]->producer->has_int64_results());
  std::map<std::string, std::string> metadata;
  format::WriteInt64Results(model->program, &metadata);
  EXPECT_EQ(metadata.at(format::kInt64ResultsKey), "y");
  // Names that the program has not, or no longer, are ignored.
  ir::Program copy = ir::Clone(model->program);
  copy.main()->outputs()[0]->producer->attributes().erase(ir::kInt64Results);
  metadata[format::kInt64ResultsKey] = "gone,,y,x";
  format::ReadInt64Results(&metadata, &copy);
  EXPECT_TRUE(copy.main()->outputs()[0]->producer->has_int64_results());
  EXPECT_TRUE(metadata.empty());
}

}  // namespace
}  // namespace anemone::onnx
