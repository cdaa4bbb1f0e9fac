#include "lab/placement_facts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ir/text.h"
#include "support/mil_program.h"

namespace anemone::lab {
namespace {

ir::Model UncheckedModel(std::string_view text) {
  ir::Model model;
  model.program = test::ParseProgram(text);
  return model;
}

std::string Stack(std::string_view dtype) {
  std::string body = fmt::format(
      "func main<ios16>(tensor<{0}, [1, 64, 56, 56]> x) {{ "
      "w = const()[val = tensor<{0}, [64, 64, 3, 3]>(splat 1)]; ",
      dtype);
  for (int i = 0; i < 12; ++i) {
    body += fmt::format("y{} = conv(x = {}, weight = w, pad_type = \"same\"); ", i,
                        i == 0 ? "x" : fmt::format("y{}", i - 1));
  }
  return body + "} -> (y11);";
}

TEST(PlacementFacts, HalfPrecisionStackGoesToTheEngine) {
  Manifest manifest;
  ASSERT_TRUE(AddPlacementFacts(UncheckedModel(Stack("fp16")), &manifest).ok());
  ASSERT_TRUE(manifest.ane_op_coverage_pct.has_value());
  EXPECT_EQ(manifest.ane_op_coverage_pct->value, 100);
  for (const auto& speedup :
       {manifest.expected_speedup_m1, manifest.expected_speedup_m2, manifest.expected_speedup_m3}) {
    ASSERT_TRUE(speedup.has_value());
    EXPECT_GT(speedup->value, 1);
    EXPECT_LT(speedup->low, speedup->value);
    EXPECT_GT(speedup->high, speedup->value);
  }
  const auto json = nlohmann::json::parse(ToJson(manifest));
  EXPECT_EQ(json["ane_op_coverage_pct"], 100);
  EXPECT_EQ(json["sources"]["ane_op_coverage_pct"]["source"], "estimated");
  EXPECT_TRUE(json["sources"]["expected_speedup_m2"]["low"].is_number());
}

TEST(PlacementFacts, SinglePrecisionStaysOff) {
  Manifest manifest;
  ASSERT_TRUE(AddPlacementFacts(UncheckedModel(Stack("fp32")), &manifest).ok());
  EXPECT_EQ(manifest.ane_op_coverage_pct->value, 0);
  EXPECT_EQ(manifest.ane_op_coverage_pct->high, 0);
  EXPECT_EQ(manifest.expected_speedup_m1->value, 1);
}

TEST(PlacementFacts, DynamicShapesAreUnknownSpeed) {
  Manifest manifest;
  ASSERT_TRUE(
      AddPlacementFacts(
          UncheckedModel("func main<ios16>(tensor<fp16, [1, ?]> x) { y = relu(x = x); } -> (y);"),
          &manifest)
          .ok());
  EXPECT_FALSE(manifest.expected_speedup_m1.has_value());
  EXPECT_TRUE(nlohmann::json::parse(ToJson(manifest))["expected_speedup_m1"].is_null());
}

TEST(PlacementFacts, AModelWithoutFunctionIsAnError) {
  Manifest manifest;
  EXPECT_FALSE(AddPlacementFacts(ir::Model(), &manifest).ok());
}

}  // namespace
}  // namespace anemone::lab
