// Gate C end to end on the double of Core ML: a live run with plan, records, parity and
// blocks against the CPU, and the verdict when Core ML fails. Speed is not judged: the
// double's means nothing.
#include "gate/live.h"
#include "gate/report.h"

#include "coreml_test_util.h"
#include "unit/gate/live_test_util.h"

namespace anemone::coreml {
namespace {

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
  static gate::Policy Policy() { return gate::fixtures::Quick(); }
  // Runs with `script` in a child process, whose double follows it.
  gate::ModelReport Run(const gate::Policy& policy, const char* script = nullptr) {
    gate::LiveModel model;
    model.name = "net";
    model.hash = std::string(64, 'e');
    model.model = test::ParseModel(kNet);
    model.reference = model.model;
    model.reference_name = "net_fp32";
    gate::LiveOptions options;
    options.directory = scratch_.path().string();
    options.threads = 1;
    options.tool_version = "test";
    options.subject_backend = &CoreMlBackend();
    if (script != nullptr) {
      model.path = scratch_ / "net.mlpackage";
      EXPECT_TRUE(format::WritePackage(*model.model, model.path).ok());
      options.helper = {"/proc/self/exe"};
      ::setenv("ANEMONE_COREML_DOUBLE", script, 1);
    }
    auto evidence = gate::RunLive(policy, model, options);
    ::unsetenv("ANEMONE_COREML_DOUBLE");
    EXPECT_TRUE(evidence.ok()) << evidence.status().ToString();
    return gate::MakeReport(policy, evidence.ok() ? *evidence : gate::Evidence{});
  }
  static Verdict Of(const gate::ModelReport& report, const std::string& name) {
    return gate::fixtures::CheckOf(report, name).verdict;
  }
  static std::string Text(const gate::ModelReport& report) {
    return gate::fixtures::TextOf(Policy(), report);
  }
  anemone::test::ScratchFolder scratch_;
};

TEST_F(CoreMlGateTest, APlanARunAndARecordPass) {
  const gate::ModelReport report = Run(Policy());
  EXPECT_EQ(report.verdict, Verdict::kPass) << Text(report);
  EXPECT_EQ(Of(report, "dispatch"), Verdict::kPass) << Text(report);
  EXPECT_EQ(Of(report, "backend_parity"), Verdict::kPass) << Text(report);
  EXPECT_NE(Of(report, "latency"), Verdict::kNotMeasured);
  // The record alone gives the same verdict, on any machine.
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

TEST_F(CoreMlGateTest, InAProcessOfItsOwn) {
  const gate::ModelReport report = Run(Policy(), "");
  EXPECT_EQ(report.verdict, Verdict::kPass) << Text(report);
  EXPECT_EQ(report.evidence.records.size(), 2U);
  EXPECT_TRUE(report.evidence.records[0].record.header.planned_units.has_value());
  EXPECT_EQ(CoreMLDoubleCalls(kDoublePredict), 0) << "none in this process";
}

TEST_F(CoreMlGateTest, ACrashOfCoreMlIsAFinding) {
  struct Case {
    const char* script;
    const char* check;
    int exit_code;
    const char* words;
  };
  for (const Case& c : {
           Case{"predict@400=crash:11", "inferences", 5, "signal 11 (Segmentation fault)"},
           Case{"predict@400=crash:9", "inferences", 5, "signal 9 (Killed) while measuring"},
           Case{"predict@2=crash:6", "inferences", 5, "signal 6 (Aborted)"},
           Case{"compile=crash:9", "compile", 5, "signal 9 (Killed) while loading subject"},
           Case{"load=crash:11", "compile", 5, "signal 11"},
           Case{"load=error", "compile", 1, "load_error"},
       }) {
    const gate::ModelReport report = Run(Policy(), c.script);
    EXPECT_EQ(Of(report, c.check), Verdict::kFail) << c.script << Text(report);
    EXPECT_EQ(report.exit_code, c.exit_code) << c.script << Text(report);
    EXPECT_NE(Text(report).find(c.words), std::string::npos) << c.script << Text(report);
    // The baseline is still there.
    EXPECT_EQ(report.evidence.records.back().record.header.backend, "cpu") << c.script;
  }
}

TEST_F(CoreMlGateTest, AHangOfCoreMlEnds) {
  gate::Policy policy = Policy();
  policy.run.max_silence_s = 2;
  const gate::ModelReport report = Run(policy, "load=hang");
  EXPECT_EQ(Of(report, "compile"), Verdict::kFail) << Text(report);
  EXPECT_EQ(report.exit_code, 6) << Text(report);
}

}  // namespace
}  // namespace anemone::coreml
