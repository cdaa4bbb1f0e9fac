// The measured calls in a child process: the child is this test binary, started again with a
// backend that kills, stops or ends it at a chosen call. Whatever it does, the gate gets a verdict.
#include "gate/sides_child.h"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "exec/synthetic_inputs.h"
#include "format/package.h"
#include "gate/report.h"
#include "live_test_util.h"

namespace anemone::gate {
namespace {

using fixtures::CheckOf;
using fixtures::Judged;
using fixtures::Set;

class GateChild : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(scratch_ / "records");
    ::setenv("TMPDIR", temporary_.path().c_str(), 1);
    live_ = fixtures::Live();
    live_.path = scratch_ / "relu.mlpackage";
    const Status written = format::WritePackage(*live_.model, live_.path);
    ASSERT_TRUE(written.ok()) << written.ToString();
    options_.directory = scratch_ / "records";
    options_.threads = 1;
    options_.tool_version = "test";
    options_.helper = {"/proc/self/exe"};
  }
  void TearDown() override {
    ::unsetenv("TMPDIR");
    ::unsetenv("ANEMONE_TEST_DEATH");
    EXPECT_EQ(temporary_.entries(), 0U);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // no zombies
    EXPECT_EQ(errno, ECHILD);
  }
  // `death`: null for our own executor, "" for a backend that lives.
  ModelReport Run(const char* death, Policy policy) {
    if (death != nullptr) {
      ::setenv("ANEMONE_TEST_DEATH", death, 1);
      policy.subject_backend = "fake";
    }
    auto evidence = RunLive(policy, live_, options_);
    EXPECT_TRUE(evidence.ok()) << (evidence.ok() ? "" : evidence.error().ToString());
    return MakeReport(policy, evidence.ok() ? std::move(*evidence) : Evidence{});
  }
  static std::string Text(const ModelReport& report) {
    return fixtures::TextOf(fixtures::QuickWithoutPlan(), report);
  }

  test::ScratchFolder scratch_;
  test::ScratchFolder temporary_;
  LiveModel live_;
  LiveOptions options_;
};

TEST_F(GateChild, AModelThatLivesIsJudgedAsInThisProcess) {
  std::vector<std::string> stages;
  options_.progress = [&](const std::string& stage, int64_t, int64_t) {
    if (stages.empty() || stages.back() != stage) stages.push_back(stage);
  };
  const ModelReport report = Run("", fixtures::QuickWithoutPlan());
  EXPECT_EQ(report.verdict, Verdict::kPass) << Text(report);
  ASSERT_EQ(report.evidence.records.size(), 2U);
  for (const RecordFile& file : report.evidence.records) {
    EXPECT_EQ(file.broken, "");
    EXPECT_TRUE(file.record.summary.has_value());
    EXPECT_GE(file.record.calls.size(), 700U);
    EXPECT_EQ(file.record.header.model, "relu");
    EXPECT_EQ(file.record.header.model_hash, live_.hash);
    EXPECT_EQ(file.record.header.tool_version, "test");
    EXPECT_EQ(file.record.header.threads, 1);
  }
  EXPECT_EQ(report.evidence.records[0].record.header.backend, "fake");
  EXPECT_VERDICT(CheckOf(report, "backend_parity"), kPass);
  EXPECT_NE(CheckOf(report, "latency").verdict, Verdict::kNotMeasured);
  // Chooses what the child does.
  EXPECT_TRUE(std::find(stages.begin(), stages.end(), "measuring") != stages.end());
  EXPECT_TRUE(std::find(stages.begin(), stages.end(), "loading subject") != stages.end());
}

TEST_F(GateChild, OurOwnExecutorToo) {
  Policy policy = *ReadPolicy("gates/ci-cpu.json");
  policy.run.min_duration_s = 0;
  policy.run.warmup_s = 0;
  Set(policy, "memory", {{"max_growth_bytes_per_call", 1e9}});
  const ModelReport report = Run(nullptr, policy);
  EXPECT_EQ(report.exit_code, 0) << Text(report);
}

TEST_F(GateChild, RealInputsReachTheChild) {
  for (int sample = 0; sample < 3; ++sample) {
    live_.real_inputs.push_back(
        *exec::SyntheticInputs(*live_.model, *live_.model->program.main(), 77, sample));
  }
  Policy policy = fixtures::QuickWithoutPlan();
  Set(policy, "backend_parity", {{"real_inputs", true}});
  Set(policy, "parity", {{"real_inputs", true}});
  const ModelReport report = Run("", policy);
  EXPECT_EQ(report.verdict, Verdict::kPass) << Text(report);
  int rows = 0;
  for (const runtime::RunParity& row : report.evidence.records.at(0).record.parity) {
    if (row.inputs != "real") continue;
    ++rows;
    EXPECT_EQ(row.samples, 3);
  }
  EXPECT_EQ(rows, 2) << "one against the executor, one against the original";
}

struct Death {
  int signal;
  const char* name;
};

TEST_F(GateChild, ACrashAmongTheCallsIsCounted) {
  for (const Death death : {Death{SIGSEGV, "Segmentation fault"}, Death{SIGKILL, "Killed"},
                            Death{SIGABRT, "Aborted"}}) {
    const ModelReport report =
        Run(fmt::format("400:{}", death.signal).c_str(), fixtures::QuickWithoutPlan());
    const CheckResult& check = CheckOf(report, "inferences");
    EXPECT_VERDICT(check, kFail);
    EXPECT_EQ(check.failure, FailureClass::kCrash);
    EXPECT_EQ(report.exit_code, 5) << Text(report);
    EXPECT_NE(check.value.find(", 1 crash, 0 failures"), std::string::npos) << check.value;
    const std::string text = Text(report);
    EXPECT_NE(text.find(fmt::format("the process was killed by signal {} ({}) while measuring",
                                    death.signal, death.name)),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("its last words: a fault, on purpose"), std::string::npos) << text;
    EXPECT_NE(text.find("why: crash"), std::string::npos) << text;
    // The calls recorded before stay.
    const auto calls = report.evidence.records.at(0).record.calls.size();
    EXPECT_GT(calls, 200U);
    EXPECT_LT(calls, 401U);
    // The record alone gives the same verdict, without the signal.
    auto groups = GroupRecords(report.evidence.records);
    ASSERT_EQ(groups.size(), 1U);
    Policy policy = fixtures::QuickWithoutPlan();
    policy.subject_backend = "fake";
    EXPECT_VERDICT(Judged("inferences", policy, groups[0]), kFail);
  }
}

TEST_F(GateChild, ACrashBeforeTheCallsIsCounted) {
  // The self-test of the session, the comparison with the executor, the warm-up.
  for (const char* death : {"1:11", "3:11", "9:11"}) {
    const ModelReport report = Run(death, fixtures::QuickWithoutPlan());
    EXPECT_EQ(report.exit_code, 5) << death << Text(report);
    EXPECT_EQ(report.evidence.ended.has_value(), true) << death;
    // The baseline was still measured.
    ASSERT_EQ(report.evidence.records.size(), 1U) << death;
    EXPECT_EQ(report.evidence.records[0].record.header.backend, "cpu");
    EXPECT_TRUE(report.evidence.records[0].record.summary.has_value());
    EXPECT_FALSE(report.evidence.unavailable.empty());
  }
}

TEST_F(GateChild, ACrashOfTheLoadFailsToCompile) {
  const ModelReport report = Run("-1:9", fixtures::QuickWithoutPlan());
  const CheckResult& check = CheckOf(report, "compile");
  EXPECT_VERDICT(check, kFail);
  EXPECT_EQ(check.value, "crashed");
  EXPECT_EQ(check.failure, FailureClass::kCrash);
  EXPECT_EQ(report.exit_code, 5) << Text(report);
  EXPECT_VERDICT(CheckOf(report, "inferences"), kNotMeasured);
  EXPECT_EQ(report.evidence.records.size(), 1U);
}

TEST_F(GateChild, AHangIsATimeout) {
  Policy policy = fixtures::QuickWithoutPlan();
  policy.run.max_silence_s = 1.5;
  ModelReport report = Run(fmt::format("400:{}", SIGSTOP).c_str(), policy);
  EXPECT_VERDICT(CheckOf(report, "inferences"), kFail);
  EXPECT_EQ(report.exit_code, 6) << Text(report);
  EXPECT_NE(Text(report).find("gave no sign of life for 1."), std::string::npos) << Text(report);
  EXPECT_NE(CheckOf(report, "inferences").value.find("0 crashes"), std::string::npos);
  report = Run(fmt::format("-1:{}", SIGSTOP).c_str(), policy);
  EXPECT_EQ(CheckOf(report, "compile").value, "hung");
  EXPECT_EQ(report.exit_code, 6) << Text(report);
}

TEST_F(GateChild, AQuietExitIsACrash) {
  const ModelReport report = Run("300:exit", fixtures::QuickWithoutPlan());
  EXPECT_EQ(report.exit_code, 5) << Text(report);
  EXPECT_NE(Text(report).find("the process exited with 0 while measuring"), std::string::npos)
      << Text(report);
}

TEST_F(GateChild, AHelperThatIsNoneIsNoFinding) {
  options_.helper = {"/bin/false"};
  auto evidence = RunLive(fixtures::QuickWithoutPlan(), live_, options_);
  ASSERT_FALSE(evidence.ok());
  EXPECT_EQ(evidence.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(evidence.error().ToString().find("/bin/false"), std::string::npos);
  EXPECT_NE(evidence.error().advice().find("ANEMONE_HELPER"), std::string::npos);
  options_.helper = {"/no/such/helper"};
  evidence = RunLive(fixtures::QuickWithoutPlan(), live_, options_);
  ASSERT_FALSE(evidence.ok());
  EXPECT_EQ(evidence.error().code(), ErrorCode::kNotFound);
}

TEST_F(GateChild, WhatIsNoFindingIsAnError) {
  Policy policy = fixtures::QuickWithoutPlan();
  policy.subject_backend = "no_such_backend";
  auto evidence = RunLive(policy, live_, options_);
  ASSERT_FALSE(evidence.ok());
  EXPECT_EQ(evidence.error().code(), ErrorCode::kUsage);
  EXPECT_NE(evidence.error().ToString().find("no_such_backend"), std::string::npos);
}

TEST_F(GateChild, HostileRequestsEndInOrder) {
  const std::string path = scratch_ / "request.json";
  EXPECT_NE(RunSidesChild(scratch_ / "none.json"), 0);
  for (
      const char* text :
      {"", "[]", "{}", "{\"schema\": 7}",
       R"({"schema": "anemone.gate_run_request", "schema_version": 1})",
       R"({"schema": "anemone.gate_run_request", "schema_version": 1, "policy": [], "inputs": 7, "result": {}})",
       R"({"schema": "anemone.gate_run_request", "schema_version": 1, "policy": {"schema": "x"}, "result": ""})"}) {
    test::WriteText(path, text);
    EXPECT_NE(RunSidesChild(path), 0) << text;
  }
}

}  // namespace
}  // namespace anemone::gate
