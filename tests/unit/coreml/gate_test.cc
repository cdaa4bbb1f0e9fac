// Gate C end to end on the double of Core ML: a live run with plan, records, parity and blocks
// against the CPU, and what a fault of Core ML makes of the verdict. Speed is not judged: the
// double's is nobody's.
#include "gate/live.h"
#include "gate/report.h"

#include "coreml_test_util.h"

namespace anemone::coreml {
namespace {

using gate::CheckResult;
using gate::Verdict;

constexpr const char* kNet = R"(
func main<ios17>(tensor<fp32, [1, 3, 8, 8]> x) {
  w = const()[val = tensor<fp32, [4, 3, 3, 3]>(seed 7)];
  c = conv(x = x, weight = w, pad_type = "same");
  y = softmax(x = c, axis = 1);
} -> (y);
)";

class CoreMlGateTest : public CoreMlTest {
 protected:
  static gate::Policy Policy() {
    gate::Policy policy = gate::BuiltInGateC();
    policy.run = {.inferences = 700,
                  .min_duration_s = 0,
                  .max_duration_s = 60,
                  .warmup_s = 0,
                  .warmup_calls = 10,
                  .warmup_cap_s = 0,
                  .steady_tolerance = 0.5,
                  .block = 25};
    policy.inferences->min_count = 700;
    policy.latency->required = false;
    policy.memory->max_growth_bytes_per_call = 1e9;
    return policy;
  }
  gate::ModelReport Run(const gate::Policy& policy) {
    gate::LiveModel model;
    model.name = "net";
    model.hash = std::string(64, 'e');
    model.model = ParseModel(kNet);
    model.reference = model.model;
    model.reference_name = "net_fp32";
    gate::LiveOptions options;
    options.directory = scratch_.path().string();
    options.threads = 1;
    options.tool_version = "test";
    options.subject_backend = &CoreMlBackend();
    auto evidence = gate::RunLive(policy, model, options);
    EXPECT_TRUE(evidence.ok()) << evidence.status().ToString();
    return gate::MakeReport(policy, evidence.ok() ? *evidence : gate::Evidence{});
  }
  static Verdict Of(const gate::ModelReport& report, const std::string& name) {
    for (const CheckResult& check : report.checks) {
      if (check.name == name) return check.verdict;
    }
    ADD_FAILURE() << name;
    return Verdict::kNotMeasured;
  }
  static std::string Text(const gate::ModelReport& report) {
    gate::GateReport all;
    all.policy = Policy();
    all.models = {report};
    return gate::ToText(all);
  }
  anemone::test::ScratchFolder scratch_;
};

TEST_F(CoreMlGateTest, APlanARunAndARecordPass) {
  const gate::ModelReport report = Run(Policy());
  EXPECT_EQ(report.verdict, Verdict::kPass) << Text(report);
  EXPECT_EQ(Of(report, "dispatch"), Verdict::kPass) << Text(report);
  EXPECT_EQ(Of(report, "backend_parity"), Verdict::kPass) << Text(report);
  EXPECT_NE(Of(report, "latency"), Verdict::kNotMeasured);
  // The record alone tells the same, on any machine.
  std::vector<gate::RecordFile> files;
  for (const char* name : {"subject.run.jsonl", "baseline.run.jsonl"}) {
    auto file = gate::ReadRecordFile(scratch_ / name);
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    files.push_back(std::move(*file));
  }
  auto groups = gate::GroupRecords(std::move(files));
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_TRUE(groups[0].records[0].record.header.planned_units.has_value());
  const gate::ModelReport again = gate::MakeReport(Policy(), groups[0]);
  EXPECT_EQ(again.verdict, Verdict::kPass) << Text(again);
}

TEST_F(CoreMlGateTest, AFailedPredictionIsAFallback) {
  Script("predict@300=error");
  const gate::ModelReport report = Run(Policy());
  EXPECT_EQ(report.exit_code, 1) << Text(report);
  EXPECT_EQ(Of(report, "fallbacks"), Verdict::kFail) << Text(report);
  EXPECT_EQ(Of(report, "telemetry"), Verdict::kPass) << Text(report);
}

TEST_F(CoreMlGateTest, AModelThatDoesNotCompileFails) {
  Script("compile=error");
  const gate::ModelReport report = Run(Policy());
  EXPECT_EQ(report.exit_code, 1) << Text(report);
  EXPECT_EQ(Of(report, "compile"), Verdict::kFail) << Text(report);
  EXPECT_EQ(Of(report, "inferences"), Verdict::kNotMeasured) << Text(report);
}

TEST_F(CoreMlGateTest, APlanThatSaysNothingIsInconclusive) {
  Script("plan=nil");
  const gate::ModelReport report = Run(Policy());
  EXPECT_EQ(Of(report, "dispatch"), Verdict::kInconclusive) << Text(report);
  EXPECT_EQ(report.exit_code, 8) << Text(report);
}

TEST_F(CoreMlGateTest, NothingPlannedForTheEngineIsNotObtained) {
  gate::Policy policy = Policy();
  policy.subject_units = "cpu_and_gpu";
  const gate::ModelReport report = Run(policy);
  EXPECT_EQ(Of(report, "dispatch"), Verdict::kFail) << Text(report);
  EXPECT_EQ(report.exit_code, 7) << Text(report);
}

}  // namespace
}  // namespace anemone::coreml
