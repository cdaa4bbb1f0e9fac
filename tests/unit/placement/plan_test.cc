// Reading plans of Core ML from other tools' files, hostile ones included, and scoring against
// them.
#include "placement/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "place_helpers.h"
#include "placement/score.h"
#include "support/mutations.h"
#include "support/scratch.h"

namespace anemone::placement {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kOwn = R"({
  "schema": "anemone.compute_plan", "schema_version": 1, "chip": "m4",
  "compute_units": "cpu_and_ne",
  "operations": [
    {"name": "w", "type": "const", "preferred": null, "supported": [], "cost": null},
    {"name": "a", "type": "ios18.tan", "preferred": "MLCPUComputeDevice",
     "supported": ["MLCPUComputeDevice"], "cost": 0.75},
    {"name": "y", "type": "ios18.relu", "preferred": "cpu", "supported": ["ane", "cpu"],
     "cost": 0.25}]})";

constexpr std::string_view kWhisper = R"({
  "a": {"dispatch": "CPU", "supported": ["CPU"], "cost": 75.0},
  "y": {"dispatch": "ANE", "supported": ["CPU", "ANE"], "cost": 25.0}})";

constexpr std::string_view kExecuTorch =
    "\n=== model.mlpackage ===\n  ANE:     1 /     2 ( 50.0%)\n  CPU:     1 /     2 ( 50.0%)\n"
    "\n  Non-ANE op types:\n        1  ios18.tan\n";

ir::Program Model() {
  return test::ParseProgram(Wrap("tensor<fp16, [1, 64]> x", "a = tan(x = x); y = relu(x = a);"));
}

TEST(Plans, OwnForm) {
  const auto plan = ParseComputePlan(kOwn);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ(plan->form, "anemone");
  EXPECT_EQ(plan->chip, "m4");
  EXPECT_EQ(plan->units, ComputeUnits::kCpuAndNe);
  ASSERT_EQ(plan->operations.size(), 2u) << "a constant has no unit";
  EXPECT_EQ(plan->operations[0].type, "tan");
  EXPECT_THAT(plan->operations[0].supported, ElementsAre(ComputeUnit::kCpu));
  EXPECT_EQ(plan->operations[0].preferred, ComputeUnit::kCpu);
  EXPECT_EQ(plan->operations[1].cost, 0.25);
}

TEST(Plans, WhisperKitForm) {
  const auto plan = ParseComputePlan(kWhisper);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ(plan->form, "whisperkit");
  ASSERT_EQ(plan->operations.size(), 2u);
  EXPECT_EQ(plan->operations[1].preferred, ComputeUnit::kAne);
  EXPECT_DOUBLE_EQ(*plan->operations[0].cost, 0.75);
}

TEST(Plans, ExecuTorchForm) {
  const auto plan = ParseComputePlan(kExecuTorch);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_TRUE(plan->counts_only);
  EXPECT_EQ(plan->total_count, 2);
  EXPECT_EQ(plan->ane_count, 1);
  ASSERT_EQ(plan->operations.size(), 1u);
  EXPECT_EQ(plan->operations[0].type, "tan");
}

// As Xcode 16 exports it, according to public readers of such reports; the device is made up.
std::string Xcode(std::string_view operations, std::string_view unit = "3") {
  return fmt::format(
      R"({{"computeUnit": {}, "modelMetadata": {{"fileName": "net"}},
          "deviceInfo": {{"modelName": "Fictional Phone 1"}},
          "deviceResults": {{"predict": {{"samples": [0.001, 0.002], "numOperations": 2}},
            "modelStructure": {{"program": {{"_0": {{"functions": {{"main": {{"block":
              {{"operations": [{}]}}}}}}}}}}}}}}}})",
      unit, operations);
}

constexpr std::string_view kXcodeOperations = R"(
    {"operatorName": "const", "outputs": [{"name": "w"}]},
    {"operatorName": "ios18.tan", "outputs": [{"name": "a"}], "cost": {"weight": 0.75},
     "deviceUsage": {"preferred": {"deviceType": {"cpu": {}}},
                     "supported": [{"deviceType": {"cpu": {}}}]}},
    {"operatorName": "ios18.relu", "outputs": [{"name": "y"}], "cost": {"weight": 0.25},
     "deviceUsage": {"preferred": {"deviceType": "neuralEngine"},
                     "supported": ["cpu", "neuralEngine"]}})";

TEST(Plans, XcodeForm) {
  const auto plan = ParseComputePlan(Xcode(kXcodeOperations));
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ(plan->form, "xcode");
  EXPECT_EQ(plan->chip, "");
  EXPECT_EQ(plan->units, ComputeUnits::kCpuAndNe);
  ASSERT_EQ(plan->operations.size(), 2u) << "a constant has no unit";
  EXPECT_EQ(plan->operations[0].name, "a");
  EXPECT_EQ(plan->operations[0].type, "tan");
  EXPECT_EQ(plan->operations[0].preferred, ComputeUnit::kCpu);
  EXPECT_EQ(plan->operations[0].cost, 0.75);
  EXPECT_EQ(plan->operations[1].preferred, ComputeUnit::kAne);
  EXPECT_THAT(plan->operations[1].supported, ElementsAre(ComputeUnit::kCpu, ComputeUnit::kAne));
  // Scored like any other plan.
  const ir::Program program = Model();
  const Analysis analysis = AnalyzeOnM4(program);
  EXPECT_EQ(ScorePlan(analysis, *plan).all.operations, 2);
  // The folder that Xcode writes.
  const anemone::test::ScratchFolder scratch;
  anemone::test::WriteText(scratch / "net.mlperf/report.json", Xcode(kXcodeOperations));
  EXPECT_TRUE(ReadComputePlan(scratch / "net.mlperf").ok());
}

TEST(Plans, XcodeMistakesAreNamed) {
  const auto broken = [](std::string_view text, std::string_view words) {
    const auto plan = ParseComputePlan(text);
    ASSERT_FALSE(plan.ok()) << text;
    EXPECT_THAT(plan.status().ToString(), HasSubstr(std::string(words)));
  };
  broken(R"({"deviceResults": {"predict": {"samples": [0.1]}}})", "names no operations");
  broken(R"({"deviceResults": 7})", "names no operations");
  broken(R"({"deviceResults": {"modelStructure": {"neuralNetwork": {"_0": {}}}}})", "ML Programs");
  broken(Xcode(kXcodeOperations, "4"), "computeUnit");
  broken(Xcode(R"({"operatorName": "const", "outputs": [{"name": "w"}]})"), "no operation a unit");
  broken(Xcode("7"), "function 'main'.operations[0]: an operation must be an object");
  broken(Xcode(R"({"operatorName": "relu", "outputs": [], "deviceUsage": {}})"), "'outputs'");
  broken(Xcode(R"({"operatorName": "relu", "outputs": [{"name": "y"}], "deviceUsage": {}})"),
         "names no compute unit");
  broken(Xcode(R"({"operatorName": "relu", "outputs": [{"name": "y"}],
                   "deviceUsage": {"preferred": {"deviceType": {"toaster": {}}}}})"),
         "names no compute unit");
  broken(Xcode(R"({"operatorName": "relu", "outputs": [{"name": "y"}], "cost": {"weight": 9},
                   "deviceUsage": {"preferred": "cpu"}})"),
         "must be a share from 0 to 1");
  const anemone::test::ScratchFolder scratch;
  anemone::test::WriteText(scratch / "old.mlperf/data.bin", "?");
  const auto old = ReadComputePlan(scratch / "old.mlperf");
  ASSERT_FALSE(old.ok());
  EXPECT_EQ(old.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(old.error().advice(), HasSubstr("dump_plan.py"));
  EXPECT_FALSE(ReadComputePlan(scratch.path().string()).ok());
}

TEST(Plans, MistakesAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "empty"},
      {"hello", "neither"},
      {"{", "not a JSON object"},
      {"{}", "no operation"},
      {R"({"a": 3})", "dispatch"},
      {R"({"a": {"dispatch": "TPU"}})", "TPU"},
      {R"({"a": {"dispatch": 7}})", "must be a text"},
      {R"({"a": {"dispatch": "CPU", "supported": "CPU"}})", "must be a list"},
      {R"({"a": {"dispatch": "CPU", "supported": [null]}})", "null"},
      {R"({"a": {"dispatch": "ANE", "supported": ["CPU"]}})", "not among"},
      {R"({"a": {"dispatch": "CPU", "cost": 250}})", "share"},
      {R"({"a": {"dispatch": "CPU", "cost": -1}})", "share"},
      {R"({"a": {"dispatch": "CPU", "cost": "x"}})", "number"},
      {R"({"schema": "other"})", "other"},
      {R"({"schema": "anemone.compute_plan"})", "version"},
      {R"({"schema": "anemone.compute_plan", "schema_version": 2})", "version"},
      {R"({"schema": "anemone.compute_plan", "schema_version": 1})", "operations"},
      {R"({"schema": "anemone.compute_plan", "schema_version": 1, "operations": [1]})",
       "operations[0]"},
      {R"({"schema": "anemone.compute_plan", "schema_version": 1, "compute_units": "tpu",
           "operations": []})",
       "tpu"},
      {"=== m ===\n", "counts no operation"},
      {"=== m ===\nANE: 5 / 3\n", "total"},
      {"=== m ===\nANE: x\n", "COUNT"},
      {"=== m ===\nANE: 1 / 3\nNon-ANE op types:\n 9 conv\n", "more than"},
      {"=== m ===\nANE: 1 / 3\nNon-ANE op types:\n 9223372036854775807 conv\n 9223372036854775807 "
       "add\n",
       "more than"},
      {"=== m ===\n=== n ===\n", "several"},
      {"=== m ===\nwhat\n", "not understood"},
  };
  for (const auto& [text, reason] : cases) {
    const auto plan = ParseComputePlan(text);
    ASSERT_FALSE(plan.ok()) << text;
    EXPECT_THAT(plan.status().ToString(), HasSubstr(reason)) << text;
  }
  EXPECT_FALSE(ReadComputePlan("/nonexistent/plan.json").ok());
}

TEST(Plans, DeepNestingIsRefused) {
  const std::string deep = R"({"a": )" + std::string(100'000, '[');
  EXPECT_FALSE(ParseComputePlan(deep).ok());
}

TEST(Scores, AgreeingPlan) {
  const ir::Program program = Model();
  const auto plan = ParseComputePlan(kOwn);
  ASSERT_TRUE(plan.ok());
  const Score score = ScorePlan(AnalyzeOnM4(program), *plan);
  EXPECT_EQ(score.all.operations, 2);
  EXPECT_EQ(score.all.sets_right, 2);
  EXPECT_EQ(score.all.preferred_right, 2);
  EXPECT_TRUE(score.disagreements.empty());
  EXPECT_EQ(score.not_in_model, 0);
  EXPECT_EQ(score.not_in_plan, 0);
}

TEST(Scores, TheWrongRuleComesFirst) {
  const ir::Program program = Model();
  const auto plan = ParseComputePlan(
      R"({"a": {"dispatch": "ANE", "supported": ["CPU", "ANE"]},
          "y": {"dispatch": "CPU", "supported": ["CPU", "ANE"]},
          "elsewhere": {"dispatch": "CPU", "supported": ["CPU"]}})");
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  const Score score = ScorePlan(AnalyzeOnM4(program), *plan);
  EXPECT_EQ(score.all.sets_compared, 2);
  EXPECT_EQ(score.all.sets_right, 1);
  EXPECT_EQ(score.all.preferred_right, 1);
  ASSERT_FALSE(score.by_rule.empty());
  EXPECT_EQ(score.by_rule[0].name, "ane_no_kernel");
  EXPECT_EQ(score.by_operator[0].name, "tan");
  ASSERT_EQ(score.disagreements.size(), 1u);
  EXPECT_THAT(score.disagreements[0].planned, ElementsAre(ComputeUnit::kAne, ComputeUnit::kCpu));
  EXPECT_EQ(score.not_in_model, 1);
}

TEST(Scores, CountsByOperator) {
  const ir::Program program = Model();
  const auto plan = ParseComputePlan(kExecuTorch);
  ASSERT_TRUE(plan.ok());
  const Score score = ScorePlan(AnalyzeOnM4(program), *plan);
  EXPECT_EQ(score.all.preferred_compared, 2);
  EXPECT_EQ(score.all.preferred_right, 1) << "we leave relu on the CPU";
  EXPECT_EQ(score.all.sets_compared, 0);
}

TEST(Scores, TotalsAddUp) {
  const ir::Program program = Model();
  const Analysis analysis = AnalyzeOnM4(program);
  Score total;
  for (const std::string_view text : {kOwn, kWhisper}) {
    const auto plan = ParseComputePlan(text);
    ASSERT_TRUE(plan.ok());
    total.Add(ScorePlan(analysis, *plan));
  }
  EXPECT_EQ(total.all.operations, 4);
  EXPECT_EQ(total.all.preferred_right, 3);
  EXPECT_EQ(total.by_operator.size(), 2u);
}

// Whichever byte is changed, cut off or inserted, the worst outcome is an error.
TEST(Plans, MutatedFilesAreSafe) {
  const ir::Program program = Model();
  const Analysis analysis = AnalyzeOnM4(program);
  const std::string xcode = Xcode(kXcodeOperations);
  for (const std::string_view original : {kOwn, kWhisper, kExecuTorch, std::string_view(xcode)}) {
    const auto use = [&](const std::vector<std::byte>& bytes) {
      const auto plan =
          ParseComputePlan({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      if (!plan.ok()) {
        EXPECT_FALSE(plan.status().ToString().empty());
        return;
      }
      const Score score = ScorePlan(analysis, *plan);
      EXPECT_LE(score.all.sets_right, score.all.sets_compared);
      EXPECT_LE(score.all.preferred_right, score.all.preferred_compared);
    };
    test::ForEachMutation(std::as_bytes(std::span(original)),
                          {.truncations = 400, .bit_flips = 1000, .overwrites = 1000}, use);
  }
}

}  // namespace
}  // namespace anemone::placement
