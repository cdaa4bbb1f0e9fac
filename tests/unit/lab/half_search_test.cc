#include "lab/half_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "exec/function_inputs.h"
#include "lab/half_samples.h"
#include "lab/subgraph.h"
#include "lab_fixture.h"
#include "passes/pipeline.h"

namespace anemone::lab {
namespace {

Result<std::shared_ptr<const ir::Model>> ToHalf(const ir::Model& single,
                                                const std::set<std::string>& keep) {
  auto copy = std::make_shared<ir::Model>(CloneModel(single));
  passes::Float16Options options;
  options.keep_float32 = [keep](const ir::Operation& operation) {
    return keep.contains(operation.name());
  };
  ANEMONE_ASSIGN(const auto ran,
                 passes::RunPasses(copy->program, passes::PrecisionPipeline(options)));
  static_cast<void>(ran);
  return std::shared_ptr<const ir::Model>(std::move(copy));
}

HalfPlan PlanOf(const std::string& text, bool chooses = true) {
  const auto model = test::ParseModel(text);
  auto samples = HalfSamples(*model, *model->program.main());
  EXPECT_TRUE(samples.ok());
  auto check = HalfCheck::Make(cpu::CpuBackend(), model, "", std::move(*samples), 1);
  EXPECT_TRUE(check.ok()) << check.error().ToString();
  HalfSearchOptions options;
  options.chooses = chooses;
  options.to_float16 = ToHalf;
  auto plan = PlanHalf(*check, options);
  EXPECT_TRUE(plan.ok()) << plan.error().ToString();
  return std::move(*plan);
}

// The squares of large numbers leave half's range, and sigmoid's input has none to give back.
constexpr const char* kOverflows = R"(
  func main<ios16>(tensor<fp32, [1, 64]> x) {
    a = linear(x = x, weight = tensor<fp32, [64, 64]>(seed 1))[name = "first"];
    t = tanh(x = a)[name = "bounded"];
    scaled = mul(x = t, y = 1000.0)[name = "scaled"];
    squared = mul(x = scaled, y = scaled)[name = "squared"];
    sum = reduce_sum(x = squared, axes = [1], keep_dims = true)[name = "sum"];
    root = sqrt(x = sum)[name = "root"];
    y = real_div(x = scaled, y = root)[name = "normal"];
  } -> (y);)";

TEST(HalfSearch, KeepsWhatLeavesHalfsRangeAndNoMore) {
  const HalfPlan plan = PlanOf(kOverflows);
  EXPECT_FALSE(plan.plain.failure.empty());
  EXPECT_TRUE(plan.outcome.failure.empty()) << plan.outcome.failure;
  EXPECT_LE(plan.outcome.worst, 5e-3);
  const std::set<std::string> kept(plan.keep.begin(), plan.keep.end());
  EXPECT_TRUE(kept.contains("squared"));
  EXPECT_TRUE(kept.contains("sum"));
  EXPECT_FALSE(kept.contains("first"));
  EXPECT_LT(plan.cost.share, 0.05);
  EXPECT_GT(plan.casts_added, 0);
}

TEST(HalfSearch, OnlyJudgesWhenItMayNotChoose) {
  const HalfPlan plan = PlanOf(kOverflows, false);
  EXPECT_FALSE(plan.outcome.failure.empty());
  EXPECT_TRUE(plan.keep.empty());
  EXPECT_TRUE(std::isinf(plan.outcome.worst));
}

TEST(HalfSearch, FindsAnAnswerThatNeverChanges) {
  // In half, 2048 + x is 2048 for |x| < 1.
  const HalfPlan plan = PlanOf(R"(
    func main<ios16>(tensor<fp32, [1, 8]> x) {
      a = tanh(x = x)[name = "bounded"];
      b = mul(x = a, y = 0.3)[name = "small"];
      c = add(x = b, y = 2048.0)[name = "lifted"];
      y = sub(x = c, y = 2048.0)[name = "lowered"];
    } -> (y);)");
  EXPECT_NE(plan.plain.failure.find("is the same for all 4 samples"), std::string::npos)
      << plan.plain.failure;
  EXPECT_TRUE(plan.outcome.failure.empty());
  const std::set<std::string> kept(plan.keep.begin(), plan.keep.end());
  EXPECT_TRUE(kept.contains("lifted"));
  EXPECT_TRUE(kept.contains("lowered"));
}

TEST(HalfSearch, KeepsNothingWhereNothingIsLost) {
  const HalfPlan plan = PlanOf(kClassifier);
  EXPECT_TRUE(plan.keep.empty());
  EXPECT_EQ(plan.rescaled, 0);
  EXPECT_EQ(plan.cost.operators, 0);
  EXPECT_EQ(plan.cost.share, 0);
}

TEST(HalfSamples, LookUpTheWholeTable) {
  const auto model = test::ParseModel(R"(
    func main<ios16>(tensor<int32, [400]> ids) {
      y = gather(x = tensor<fp32, [7, 2]>(seed 1), indices = ids, axis = 0);
    } -> (y);)");
  const auto samples = HalfSamples(*model, *model->program.main());
  ASSERT_TRUE(samples.ok());
  ASSERT_EQ(samples->size(), 4U);
  const exec::Tensor& ids = samples->at(0).at("ids");
  std::set<int32_t> seen(ids.As<int32_t>(), ids.As<int32_t>() + ids.count());
  EXPECT_EQ(seen, (std::set<int32_t>{0, 1, 2, 3, 4, 5, 6}));
}

}  // namespace
}  // namespace anemone::lab
