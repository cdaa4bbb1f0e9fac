#include "coreml/compute_plan.h"

#include <thread>

#include "coreml_test_util.h"
#include "exec/failure.h"

namespace anemone::coreml {
namespace {

using std::chrono::seconds;

constexpr const char* kPlanNet = R"(
func main<ios17>(tensor<fp32, [1, 3, 8, 8]> x) {
  w = const()[val = tensor<fp32, [4, 3, 3, 3]>(seed 7)];
  c = conv(x = x, weight = w, pad_type = "same");
  s = softmax(x = c, axis = 1);
  y = gather(x = s, indices = [0, 2], axis = 1);
} -> (y);
)";

TEST_F(CoreMlTest, ThePlanNamesDevicesAndCostsOfOperations) {
  auto plan = LoadComputePlan(test::ParseModel(kPlanNet), {}, seconds(20));
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_GE(plan->const_operations, 1);
  ASSERT_EQ(plan->operations.size(), 3U);
  EXPECT_EQ(plan->operations[0].type, "ios17.conv");
  EXPECT_EQ(plan->operations[0].output, "c");
  EXPECT_EQ(plan->operations[0].planned, ComputeUnit::kAne);
  EXPECT_EQ(plan->operations[0].supported.size(), 3U);
  EXPECT_EQ(plan->operations[1].planned, ComputeUnit::kGpu);
  EXPECT_EQ(plan->operations[2].planned, ComputeUnit::kCpu);
  EXPECT_EQ(plan->unknown_operations(), 0);
  for (const ComputeUnit unit : {ComputeUnit::kCpu, ComputeUnit::kGpu, ComputeUnit::kAne}) {
    EXPECT_NEAR(plan->OperationShare(unit).value_or(-1), 1.0 / 3, 1e-12);
    EXPECT_NEAR(plan->CostShare(unit).value_or(-1), 1.0 / 3, 1e-12);
  }
}

TEST_F(CoreMlTest, TheBackendsPlanKeepsUnknownApart) {
  constexpr int64_t kTimeoutNs = 20'000'000'000;
  auto plan = CoreMlBackend().Plan(test::ParseModel(kPlanNet), {}, kTimeoutNs);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  ASSERT_EQ(plan->size(), 3U);
  EXPECT_EQ((*plan)[0].unit, ComputeUnit::kAne);
  EXPECT_EQ((*plan)[0].type, "ios17.conv");
  EXPECT_EQ((*plan)[0].output, "c");
  EXPECT_EQ((*plan)[1].unit, ComputeUnit::kGpu);
  EXPECT_EQ((*plan)[2].unit, ComputeUnit::kCpu);
  Script("plan=nil");
  plan = CoreMlBackend().Plan(test::ParseModel(kPlanNet), {}, kTimeoutNs);
  ASSERT_TRUE(plan.ok());
  for (const exec::PlannedOperation& operation : *plan)
    EXPECT_EQ(operation.unit, ComputeUnit::kUnknown);
}

TEST_F(CoreMlTest, ThePlanFollowsTheComputeUnits) {
  exec::LoadOptions options;
  options.compute_units = ComputeUnits::kCpuOnly;
  auto plan = LoadComputePlan(test::ParseModel(kPlanNet), options, seconds(20));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->OperationShare(ComputeUnit::kCpu), 1.0);
  options.compute_units = ComputeUnits::kCpuAndGpu;
  plan = LoadComputePlan(test::ParseModel(kPlanNet), options, seconds(20));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->CountPlanned(ComputeUnit::kAne), 0);
  EXPECT_EQ(plan->CountPlanned(ComputeUnit::kGpu), 2);
}

TEST_F(CoreMlTest, WhatThePlanDoesNotSayIsUnknownAndNotTheCpu) {
  Script("plan=nil");
  auto plan = LoadComputePlan(test::ParseModel(kPlanNet), {}, seconds(20));
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ(plan->unknown_operations(), 3);
  for (const PlannedOperation& operation : plan->operations) {
    EXPECT_EQ(operation.planned, ComputeUnit::kUnknown);
    EXPECT_TRUE(operation.supported.empty());
    EXPECT_EQ(operation.cost_weight, std::nullopt);
  }
  EXPECT_EQ(plan->OperationShare(ComputeUnit::kCpu), std::nullopt);
  EXPECT_EQ(plan->CostShare(ComputeUnit::kCpu), std::nullopt);
}

TEST_F(CoreMlTest, PlansOfControlFlowAndOfSeveralFunctions) {
  auto plan = LoadComputePlan(ReadFixture("while_loop"), {}, seconds(20));
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  bool loop = false;
  for (const PlannedOperation& operation : plan->operations) {
    loop |= operation.type.ends_with(".while_loop");
  }
  EXPECT_TRUE(loop);
  EXPECT_GT(plan->operations.size(), 1U);  // the body's too
  const ModelPtr model = ReadFixture("multi_function");
  for (const auto& function : model->program.functions) {
    exec::LoadOptions options;
    options.function = function->name;
    auto of_function = LoadComputePlan(model, options, seconds(20));
    ASSERT_TRUE(of_function.ok()) << of_function.status().ToString();
    EXPECT_FALSE(of_function->operations.empty());
  }
}

TEST_F(CoreMlTest, PlansThatFailAreTyped) {
  Script("plan=error:3");
  auto plan = LoadComputePlan(test::ParseModel(kPlanNet), {}, seconds(20));
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(exec::FailureKindOf(plan.error()), exec::FailureKind::kLoadError);
  Script("plan=memory");
  EXPECT_EQ(
      exec::FailureKindOf(LoadComputePlan(test::ParseModel(kPlanNet), {}, seconds(20)).error()),
      exec::FailureKind::kMemoryPressure);
  Script("compile=error");
  EXPECT_EQ(
      exec::FailureKindOf(LoadComputePlan(test::ParseModel(kPlanNet), {}, seconds(20)).error()),
      exec::FailureKind::kCompileError);
}

TEST_F(CoreMlTest, APlanThatComesLateIsNotWaitedForNorTouched) {
  Script("plan=slow:400");
  auto plan = LoadComputePlan(test::ParseModel(kPlanNet), {}, std::chrono::milliseconds(50));
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(exec::FailureKindOf(plan.error()), exec::FailureKind::kTimeout);
  // Its answer arrives after the caller has left; then all of it is released.
  for (int i = 0; i < 500 && CoreMLDoubleLiveObjects() != live_before_; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace
}  // namespace anemone::coreml
