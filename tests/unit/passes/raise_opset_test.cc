#include "passes/raise_opset.h"

#include <gtest/gtest.h>

#include "ir/verifier.h"
#include "support/mil_program.h"

namespace anemone::passes {
namespace {

constexpr std::string_view kGather = R"(
  func main<ios16>(tensor<fp32, [4, 2]> x, tensor<int32, [3]> at) {
    y = gather(x = x, indices = at, axis = 0);
  } -> (y);)";

TEST(RaiseOpset, NegativeIndicesOfGatherAreCountedBefore) {
  ir::Program program = test::ParseProgram(kGather);
  ir::Function& function = *program.functions[0];
  ASSERT_TRUE(RaiseOpset(function, ir::Opset::kIOS17).ok());
  EXPECT_EQ(function.opset, ir::Opset::kIOS17);
  EXPECT_TRUE(ir::Verify(function).ok());
  EXPECT_EQ(test::CountOps(program, "select"), 1);
  const ir::Operation* select = function.outputs()[0]->producer->Input("indices")->producer;
  EXPECT_EQ(select->type(), "select");
  EXPECT_EQ(select->Input("a")->producer->Input("y")->literal->AsDouble(), 4);
}

TEST(RaiseOpset, OpenDimensionsAreMeasured) {
  ir::Program program = test::ParseProgram(R"(
    func main<ios15>(tensor<fp32, [2, ?]> x, tensor<int32, [3]> at) {
      y = gather(x = x, indices = at, axis = -1);
    } -> (y);)");
  ASSERT_TRUE(RaiseOpset(*program.functions[0], ir::Opset::kIOS18).ok());
  EXPECT_TRUE(ir::Verify(*program.functions[0]).ok());
  EXPECT_EQ(test::CountOps(program, "shape"), 1);
}

TEST(RaiseOpset, WhatCannotBeNegativeStays) {
  ir::Program program = test::ParseProgram(R"(
    func main<ios15>(tensor<fp32, [4, 2]> x) {
      y = gather(x = x, indices = [0, 3], axis = 0);
    } -> (y);)");
  ASSERT_TRUE(RaiseOpset(*program.functions[0], ir::Opset::kIOS17).ok());
  EXPECT_EQ(test::CountOps(program, "select"), 0);
}

TEST(RaiseOpset, AnOlderOpsetMeansTheSame) {
  ir::Program program = test::ParseProgram(kGather);
  ASSERT_TRUE(RaiseOpset(*program.functions[0], ir::Opset::kIOS16).ok());
  EXPECT_EQ(test::CountOps(program, "select"), 0);
}

}  // namespace
}  // namespace anemone::passes
